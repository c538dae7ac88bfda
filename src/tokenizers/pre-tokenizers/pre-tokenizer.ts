/** Splits a text into words. Rust counterpart: `PreTokenizer` of `tokenizer/mod.rs`. */
import type { PreTokenizedString } from "../pre-tokenized-string.ts";
import { type Behavior, type Matcher, splitAt } from "../split-behavior.ts";

export type PreTokenizer = (text: PreTokenizedString) => void;

/** Splits at matches. */
export function splitter(find: Matcher, behavior: Behavior): PreTokenizer {
  return (text) => text.split((normalized, push) => splitAt(normalized, find, behavior, push));
}
