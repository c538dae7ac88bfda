/** Words of so many characters. Rust counterpart: `pre_tokenizers/fixed_length.rs`. */
import { type Fields, wrong } from "../fields.ts";
import type { PreTokenizer } from "./pre-tokenizer.ts";

export function readFixedLength(fields: Fields): PreTokenizer {
  const length = fields.only("length").count("length", 5);
  if (length === 0) throw wrong(`${fields.path}.length`, length, "at least 1");
  return (text) =>
    text.split((normalized, push) => {
      for (let start = 0; start < normalized.text.length; ) {
        let end = start;
        for (let count = 0; count < length && end < normalized.text.length; count++) {
          end += normalized.text.codePointAt(end)! > 0xffff ? 2 : 1;
        }
        push(normalized.slice(start, end));
        start = end;
      }
    });
}
