/** What turns words into tokens. Rust counterpart: `Model` of `tokenizer/mod.rs`. */

/** The tokens of one word. */
export interface Word {
  readonly ids: readonly number[];
  /** Where each token starts and ends in the word: in UTF-16 units, or in bytes of UTF-8 if `inBytes`. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly inBytes: boolean;
  /** The tokens' texts, null when they are those of the ids. */
  readonly tokens: readonly string[] | null;
}

export interface TokenModel {
  /** Throws FormatError when the word has unknown characters, and the model has no token for them. */
  tokenize(word: string): Word;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
  /** The number of tokens: ids of added tokens continue from here. */
  readonly size: number;
  /** One more than the highest id. */
  readonly idEnd: number;
}

/** One token for the whole word. */
export function whole(word: string, id: number, token: string): Word {
  return { ids: [id], starts: [0], ends: [word.length], inBytes: false, tokens: [token] };
}
