/** `[CLS] a [SEP]` and `[CLS] a [SEP] b [SEP]`. Rust counterpart: `processors/bert.rs`. */
import type { Fields } from "../fields.ts";
import { around } from "./around.ts";
import type { PostProcessor } from "./post-processor.ts";
import { readSpecialToken } from "./special-token.ts";

export function readBertProcessing(fields: Fields): PostProcessor {
  fields.only("sep", "cls");
  const [sep, cls] = [readSpecialToken(fields, "sep"), readSpecialToken(fields, "cls")];
  return {
    added: (isPair) => (isPair ? 3 : 2),
    process: (encodings, adds) =>
      adds
        ? encodings.map((each, i) => (i === 0 ? around(each, [cls], [sep], 0, 0) : around(each, [], [sep], 1, 1)))
        : encodings,
  };
}
