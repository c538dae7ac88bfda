/** The normalizer of a tokenizer.json. Rust counterpart: `normalizers/mod.rs`. */
import { toLetters } from "../byte-alphabet.ts";
import { byType, type Fields } from "../fields.ts";
import { type Form, NormalizationForm } from "../unicode/normalization-forms.ts";
import { readBertNormalizer } from "./bert.ts";
import { lowercase } from "./lowercase.ts";
import { readNmt } from "./nmt.ts";
import type { Normalizer } from "./normalizer.ts";
import { readPrecompiled } from "./precompiled.ts";
import { readReplace } from "./replace.ts";
import { readStrip, readStripAccents } from "./strip.ts";

export function readNormalizer(fields: Fields): Normalizer {
  return byType(fields, {
    ...{ BertNormalizer: readBertNormalizer, Bert: readBertNormalizer, Strip: readStrip },
    ...{ StripAccents: readStripAccents, Nmt: readNmt, Replace: readReplace, Precompiled: readPrecompiled },
    ...{ NFC: readForm("NFC"), NFD: readForm("NFD"), NFKC: readForm("NFKC"), NFKD: readForm("NFKD") },
    Lowercase: (each) => {
      each.only();
      return lowercase;
    },
    ByteLevel: (each) => {
      each.only();
      return toLetters;
    },
    Prepend: (each) => {
      const front = each.only("prepend").string("prepend");
      return (normalized) => normalized.prepend(front);
    },
    Sequence: (each) => {
      const steps = each.only("normalizers").parts("normalizers").map(readNormalizer);
      return (normalized) => {
        for (const step of steps) step(normalized);
      };
    },
  });
}

function readForm(form: Form): (fields: Fields) => Normalizer {
  return (fields) => {
    fields.only();
    const normalization = new NormalizationForm(form);
    return (normalized) => normalization.apply(normalized);
  };
}
