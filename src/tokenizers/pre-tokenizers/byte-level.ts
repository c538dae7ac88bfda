/** GPT-2's words, written as bytes. Rust counterpart: `pre_tokenizers/byte_level.rs`. */
import { toLetters } from "../byte-alphabet.ts";
import type { Fields } from "../fields.ts";
import { compilePattern } from "../patterns/compile-pattern.ts";
import { splitAt } from "../split-behavior.ts";
import type { PreTokenizer } from "./pre-tokenizer.ts";

/** GPT-2's words: contractions, letters, numbers, other signs, blanks. */
const WORDS = "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

export function readByteLevel(fields: Fields): PreTokenizer {
  fields.only("add_prefix_space", "trim_offsets", "use_regex");
  fields.boolean("trim_offsets"); // what the post-processor of this name does
  const [prefixes, splits] = [fields.boolean("add_prefix_space"), fields.boolean("use_regex", true)];
  const find = compilePattern(WORDS, fields.path);
  return (text) => {
    text.split((normalized, push) => {
      if (prefixes && !normalized.text.startsWith(" ")) normalized.prepend(" ");
      if (splits) splitAt(normalized, find, "Isolated", push);
      else push(normalized);
    });
    for (const { normalized, id } of text.pieces) if (id < 0) toLetters(normalized);
  };
}
