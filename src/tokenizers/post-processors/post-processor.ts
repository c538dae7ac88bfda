/** Puts special tokens around texts. Rust counterpart: `PostProcessor` of `tokenizer/mod.rs`. */
import type { TokenEncoding } from "../encoding.ts";

export interface PostProcessor {
  /** How many tokens are put around a text or a pair. */
  added(isPair: boolean): number;
  /** One encoding per text comes in; what goes out is joined. */
  process(encodings: TokenEncoding[], addsSpecialTokens: boolean): TokenEncoding[];
}
