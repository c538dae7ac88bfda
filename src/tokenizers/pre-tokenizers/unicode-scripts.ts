/** Splits where the script changes. Rust counterpart: `pre_tokenizers/unicode_scripts/pre_tokenizer.rs`. */
import type { Fields } from "../fields.ts";
import { scriptOf } from "../unicode/scripts.ts";
import type { PreTokenizer } from "./pre-tokenizer.ts";

const ANY = 0;

/** What comes before the first character of a known script is left out, as in Rust. */
export function readUnicodeScripts(fields: Fields): PreTokenizer {
  fields.only();
  return (text) =>
    text.split((normalized, push) => {
      let last = -1;
      let start = -1;
      for (let i = 0; i < normalized.text.length; ) {
        const char = normalized.text.codePointAt(i)!;
        const script = scriptOf(char);
        if (script !== ANY && script !== last) {
          if (start >= 0) push(normalized.slice(start, i));
          start = i;
          last = script;
        }
        i += char > 0xffff ? 2 : 1;
      }
      if (start >= 0) push(normalized.slice(start, normalized.text.length));
    });
}
