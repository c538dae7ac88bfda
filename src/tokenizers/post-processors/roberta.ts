/** `<s> a </s>` and `<s> a </s></s> b </s>`, all of one type. Rust counterpart: `processors/roberta.rs`. */
import type { TokenEncoding } from "../encoding.ts";
import type { Fields } from "../fields.ts";
import { around } from "./around.ts";
import type { PostProcessor } from "./post-processor.ts";
import { readSpecialToken } from "./special-token.ts";
import { trimOffsets } from "./trim-offsets.ts";

export function readRobertaProcessing(fields: Fields): PostProcessor {
  fields.only("sep", "cls", "trim_offsets", "add_prefix_space");
  const [sep, cls] = [readSpecialToken(fields, "sep"), readSpecialToken(fields, "cls")];
  const [trims, prefixed] = [fields.boolean("trim_offsets"), fields.boolean("add_prefix_space")];
  const framed = (encoding: TokenEncoding, i: number) =>
    i === 0 ? around(encoding, [cls], [sep], 0, 0) : around(encoding, [sep], [sep], 1, 0);
  return {
    added: (isPair) => (isPair ? 4 : 2),
    process(encodings, adds) {
      for (const encoding of encodings) {
        if (trims) trimOffsets(encoding, prefixed);
        encoding.setType(0);
        for (const each of encoding.overflowing) if (adds) each.setType(0);
      }
      return adds ? encodings.map(framed) : encodings;
    },
  };
}
