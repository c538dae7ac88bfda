/** BERT's cleaning up. Rust counterpart: `normalizers/bert.rs`. */
import type { Fields } from "../fields.ts";
import { type NormalizedString, TextChange } from "../normalized-string.ts";
import { isNonspacing, isOther, isWhitespace } from "../unicode/categories.ts";
import { NormalizationForm } from "../unicode/normalization-forms.ts";
import { lowercase } from "./lowercase.ts";
import { mapChars } from "./map-chars.ts";
import type { Normalizer } from "./normalizer.ts";

const PLAIN = /^[ -~]*$/;
/** Blocks of Chinese characters, as BERT lists them. */
const CHINESE =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/u;

export function readBertNormalizer(fields: Fields): Normalizer {
  fields.only("clean_text", "handle_chinese_chars", "strip_accents", "lowercase");
  const [cleans, separates] = [fields.boolean("clean_text"), fields.boolean("handle_chinese_chars")];
  const lowers = fields.boolean("lowercase");
  const strips = fields.has("strip_accents") ? fields.boolean("strip_accents") : lowers;
  const decompose = new NormalizationForm("NFD");
  return (normalized) => {
    if (!PLAIN.test(normalized.text)) {
      if (cleans) clean(normalized);
      if (separates) separateChinese(normalized);
      if (strips) {
        decompose.apply(normalized);
        normalized.filter((char) => !isNonspacing(char));
      }
    }
    if (lowers) lowercase(normalized);
  };
}

const isLayout = (char: number) => char === 0x09 || char === 0x0a || char === 0x0d;

function clean(normalized: NormalizedString): void {
  normalized.filter((char) => char !== 0 && char !== 0xfffd && (isLayout(char) || !isOther(char)));
  mapChars(normalized, (char) => (isWhitespace(char) ? 0x20 : char));
}

/** Puts a blank on both sides of each Chinese character. */
function separateChinese(normalized: NormalizedString): void {
  if (!CHINESE.test(normalized.text)) return;
  const change = new TextChange();
  for (const text of normalized.text) {
    const char = text.codePointAt(0)!;
    if (char > 0x33ff && CHINESE.test(text)) {
      change.push(0x20, 0);
      change.push(char, 1);
      change.push(0x20, 1);
    } else change.push(char, 0);
  }
  normalized.transform(change);
}
