/** Text from tokens as they come, one at a time. */

/** What is asked of a tokenizer here. */
export interface TokenDecoder {
  decode(ids: readonly number[], options: { skipSpecialTokens: boolean }): string;
}

/** How tokens become text piece by piece. */
export interface StreamDecoderOptions {
  /** Tokens that come before the first one, such as the prompt: they decide whether a leading blank is kept. */
  readonly after?: readonly number[];
  /** Leave special tokens such as </s> out of the text; on by default. */
  readonly skipSpecialTokens?: boolean;
}

/** Tokens of a prompt that are looked at first: the longest character has 4 bytes, and some decoders look one token back. */
const CONTEXT = 6;
const BROKEN = "\ufffd";

/**
 * Gives the text of each token once it is certain. A character whose bytes are spread over several tokens comes with
 * the last of them, so no piece holds half a character; all pieces joined are what `decode` says of all tokens at once.
 *
 * @example
 * const stream = new StreamDecoder(tokenizer);
 * for (const id of ids) write(stream.push(id));
 * write(stream.end());
 */
export class StreamDecoder {
  readonly #decoder: TokenDecoder;
  readonly #skipSpecialTokens: boolean;
  /**
   * The tokens of the piece that came out last, then those whose text is not out. They begin where a character does: bytes that begin
   * inside one would make a decoder give up all that follow.
   */
  #ids: number[];
  #told: number;

  constructor(decoder: TokenDecoder, { after = [], skipSpecialTokens = true }: StreamDecoderOptions = {}) {
    this.#decoder = decoder;
    this.#skipSpecialTokens = skipSpecialTokens;
    this.#ids = this.#context(after);
    this.#told = this.#ids.length;
  }

  /** The end of a prompt, from the beginning of a character on. */
  #context(after: readonly number[]): number[] {
    let size = CONTEXT;
    while (size < after.length && this.#text(after.slice(-size)).includes(BROKEN)) size *= 2;
    return after.slice(-size);
  }

  /** Takes the next token; returns what text is new, often one token's, sometimes none. */
  push(id: number): string {
    this.#ids.push(id);
    const piece = this.#pending();
    return piece.endsWith(BROKEN) ? "" : this.#tell(piece);
  }

  /** Returns what is left: bytes that never became a character, as U+FFFD. */
  end(): string {
    return this.#tell(this.#pending());
  }

  #pending(): string {
    const told = this.#text(this.#ids.slice(0, this.#told));
    return this.#text(this.#ids).slice(told.length);
  }

  #tell(piece: string): string {
    if (piece === "") return "";
    this.#ids = this.#ids.slice(this.#told);
    this.#told = this.#ids.length;
    return piece;
  }

  #text(ids: readonly number[]): string {
    return this.#decoder.decode(ids, { skipSpecialTokens: this.#skipSpecialTokens });
  }
}
