/** WordPiece: the longest token that a word begins with, again and again. Rust counterpart: `models/wordpiece/mod.rs`. */
import { FormatError } from "../../core/errors.ts";
import type { Fields } from "../fields.ts";
import { type TokenModel, type Word, whole } from "./model.ts";
import { readVocabulary, type Vocabulary } from "./vocabulary.ts";
import { WordCache } from "./word-cache.ts";

export function readWordPiece(fields: Fields): TokenModel {
  fields.only("unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab");
  const [unknown, prefix] = [fields.string("unk_token"), fields.string("continuing_subword_prefix")];
  return new WordPiece(readVocabulary(fields), unknown, prefix, fields.count("max_input_chars_per_word"), fields.path);
}

class WordPiece implements TokenModel {
  readonly size: number;
  readonly idEnd: number;
  readonly #vocabulary: Vocabulary;
  readonly #unknown: string;
  readonly #maxChars: number;
  readonly #path: string;
  /** Tokens that continue a word, without their prefix. */
  readonly #continuing = new Map<string, number>();
  readonly #longest: number;
  readonly #cache = new WordCache();

  constructor(vocabulary: Vocabulary, unknown: string, prefix: string, maxChars: number, path: string) {
    this.#vocabulary = vocabulary;
    this.#unknown = unknown;
    this.#maxChars = maxChars;
    this.#path = path;
    this.size = vocabulary.size;
    this.idEnd = vocabulary.idEnd;
    let longest = 0;
    for (const [token, id] of vocabulary.ids) {
      longest = Math.max(longest, token.length);
      if (token.startsWith(prefix)) this.#continuing.set(token.slice(prefix.length), id);
    }
    this.#longest = longest;
  }

  tokenToId(token: string): number | undefined {
    return this.#vocabulary.ids.get(token);
  }

  idToToken(id: number): string | undefined {
    return this.#vocabulary.token(id);
  }

  tokenize(word: string): Word {
    return this.#cache.get(word) ?? this.#cache.set(word, this.#split(word) ?? this.#unknownWord(word));
  }

  /** Null when a part of the word is in no token, or the word is too long. */
  #split(word: string): Word | null {
    if (word.length > this.#maxChars && Array.from(word).length > this.#maxChars) return null;
    const [ids, starts, ends]: [number[], number[], number[]] = [[], [], []];
    for (let start = 0; start < word.length; ) {
      const known = start === 0 ? this.#vocabulary.ids : this.#continuing;
      let end = Math.min(word.length, start + this.#longest);
      let id: number | undefined;
      for (; end > start; end--) {
        id = known.get(word.slice(start, end));
        if (id !== undefined) break;
      }
      if (id === undefined) return null;
      ids.push(id);
      starts.push(start);
      ends.push(end);
      start = end;
    }
    return { ids, starts, ends, inBytes: false, tokens: null };
  }

  #unknownWord(word: string): Word {
    const id = this.#vocabulary.ids.get(this.#unknown);
    if (id !== undefined) return whole(word, id, this.#unknown);
    throw new FormatError(`${this.#path}.unk_token ${JSON.stringify(this.#unknown)} is not in the vocabulary`);
  }
}
