/** Words that were tokenized before. Rust counterpart: `utils/cache.rs`. */
import type { Word } from "./model.ts";

const MAX_WORDS = 50_000;
/** Longer words seldom come twice. */
const MAX_LENGTH = 256;

export class WordCache {
  #words = new Map<string, Word>();

  get(word: string): Word | undefined {
    return this.#words.get(word);
  }

  set(word: string, tokens: Word): Word {
    if (word.length >= MAX_LENGTH) return tokens;
    if (this.#words.size >= MAX_WORDS) this.#words = new Map();
    this.#words.set(word, tokens);
    return tokens;
  }
}
