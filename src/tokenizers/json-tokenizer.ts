/**
 * What a tokenizer.json describes: text to tokens and back, equal to Rust's `tokenizers` 0.22.2. Rust counterpart:
 * `tokenizer/mod.rs`.
 *
 * A text goes through added tokens, the normalizer, the pre-tokenizer, the model, truncation, the post-processor and
 * padding. Rust cannot be given half of a surrogate pair; here it counts as U+FFFD.
 */
import { FormatError } from "../core/errors.ts";
import { type AddedToken, AddedTokens, readAddedToken } from "./added-tokens.ts";
import type { PieceDecoder } from "./decoders/decoder.ts";
import { readDecoder } from "./decoders/read-decoder.ts";
import { tokenBytesOf } from "./decoders/token-bytes.ts";
import { TokenEncoding } from "./encoding.ts";
import { Fields } from "./fields.ts";
import type { TokenModel } from "./models/model.ts";
import { readModel } from "./models/read-model.ts";
import type { NormalizedString } from "./normalized-string.ts";
import { readNormalizer } from "./normalizers/read-normalizer.ts";
import { type Padding, pad, readPadding } from "./padding.ts";
import type { PostProcessor } from "./post-processors/post-processor.ts";
import { readPostProcessor } from "./post-processors/read-post-processor.ts";
import type { PreTokenizedString } from "./pre-tokenized-string.ts";
import type { PreTokenizer } from "./pre-tokenizers/pre-tokenizer.ts";
import { readPreTokenizer } from "./pre-tokenizers/read-pre-tokenizer.ts";
import { readTruncation, type TruncationRule, truncate } from "./truncation.ts";
import { unitsOfBytes } from "./utf8.ts";

/** A text, or words that are separate texts. */
export type EncodeInput = string | readonly string[];

export interface EncodingOptions {
  /** Put the special tokens of the post-processor; on by default. */
  readonly addSpecialTokens?: boolean;
  /** Instead of what the file says; null for none. */
  readonly truncation?: TruncationRule | null;
  readonly padding?: Padding | null;
}

const LONE_SURROGATES = /\p{Surrogate}/gu;

export class JsonTokenizer {
  readonly truncation: TruncationRule | null;
  readonly padding: Padding | null;
  /** One more than the highest token number. */
  readonly idEnd: number;
  readonly #preTokenize: PreTokenizer | null;
  readonly #model: TokenModel;
  readonly #postProcessor: PostProcessor | null;
  readonly #decode: PieceDecoder | null;
  readonly #added: AddedTokens;
  readonly #bytes: (token: string) => Uint8Array;

  /** Throws FormatError when a part is wrong, UnsupportedError when it asks for what is not done here. */
  constructor(json: unknown) {
    const fields = new Fields(json, "tokenizer");
    const part = <T>(key: string, read: (part: Fields) => T) => (fields.has(key) ? read(fields.part(key)) : null);
    if (fields.raw("version") !== undefined) fields.oneOf("version", ["1.0"]);
    this.truncation = part("truncation", readTruncation);
    this.padding = part("padding", readPadding);
    const normalize = part("normalizer", readNormalizer);
    this.#preTokenize = part("pre_tokenizer", readPreTokenizer);
    this.#model = readModel(fields.part("model"));
    this.#postProcessor = part("post_processor", readPostProcessor);
    this.#decode = part("decoder", readDecoder);
    this.#bytes = tokenBytesOf(fields.has("decoder") ? fields.raw("decoder") : null, this.#decode);
    const added = fields.has("added_tokens") ? fields.parts("added_tokens").map(readAddedToken) : [];
    this.#added = new AddedTokens(added, this.#model, normalize);
    let end = this.#model.idEnd;
    for (const [id] of this.#added.entries()) end = Math.max(end, id + 1);
    this.idEnd = end;
  }

  tokenToId(token: string): number | undefined {
    return this.#added.id(token) ?? this.#model.tokenToId(token);
  }

  idToToken(id: number): string | undefined {
    return this.#added.token(id) ?? this.#model.idToToken(id);
  }

  /** The bytes that a token adds to a text, at a place other than its beginning; null for special tokens. */
  tokenBytes(id: number): Uint8Array | null {
    const token = this.idToToken(id);
    return token === undefined || this.#added.isSpecial(token) ? null : this.#bytes(token);
  }

  addedTokens(): Iterable<[number, AddedToken]> {
    return this.#added.entries();
  }

  /** Whether a token is left out of a text when special tokens are. */
  isSpecial(token: string): boolean {
    return this.#added.isSpecial(token);
  }

  /** The numbers of a text's tokens alone, neither cut nor padded: faster than `encode`. */
  ids(text: string, { addSpecialTokens = true }: { addSpecialTokens?: boolean } = {}): number[] {
    const ids: number[] = [];
    for (const { normalized, id } of this.#pieces(wellFormed(text)).pieces) {
      if (id >= 0) ids.push(id);
      else for (const found of this.#model.tokenize(normalized.text).ids) ids.push(found);
    }
    if (!addSpecialTokens || this.addedBySpecialTokens(false) === 0) return ids;
    const encoding = new TokenEncoding();
    for (const id of ids) encoding.push(id, "", 0, 0, null, 0);
    return this.postProcess([encoding], true, null).ids;
  }

  encode(input: EncodeInput, pair: EncodeInput | null = null, options: EncodingOptions = {}): TokenEncoding {
    const { addSpecialTokens = true, truncation = this.truncation, padding = this.padding } = options;
    const encodings = [this.tokens(input, 0)];
    if (pair !== null) encodings.push(this.tokens(pair, 1));
    const encoding = this.postProcess(encodings, addSpecialTokens, truncation);
    return padding === null ? encoding : pad([encoding], padding)[0]!;
  }

  /** Encodings of one length, if there is padding. */
  encodeBatch(
    inputs: readonly (readonly [EncodeInput, EncodeInput | null])[],
    options: EncodingOptions = {},
  ): TokenEncoding[] {
    const { padding = this.padding } = options;
    const encodings = inputs.map(([input, pair]) => this.encode(input, pair, { ...options, padding: null }));
    return padding === null ? encodings : pad(encodings, padding);
  }

  /** How many special tokens are put around a text or a pair. */
  addedBySpecialTokens(isPair: boolean): number {
    return this.#postProcessor?.added(isPair) ?? 0;
  }

  /** Cuts the tokens of one or two texts and puts special tokens around them. */
  postProcess(encodings: readonly TokenEncoding[], adds: boolean, truncation: TruncationRule | null): TokenEncoding {
    const isPair = encodings.length > 1;
    let texts = [...encodings];
    if (truncation !== null) {
      const room = truncation.maxLength - (adds ? this.addedBySpecialTokens(isPair) : 0);
      if (room < 0)
        throw new FormatError(`truncation to ${truncation.maxLength} tokens has no room for special tokens`);
      texts = truncate(texts, { ...truncation, maxLength: room });
    }
    if (this.#postProcessor === null) {
      if (!isPair) return texts[0]!;
      for (const [i, text] of texts.entries()) text.setSequence(i);
      return TokenEncoding.joined(texts);
    }
    texts.forEach((text, i) => {
      text.setSequence(i);
      for (const each of text.overflowing) each.setSequence(i);
      text.setType(i);
    });
    return TokenEncoding.joined(this.#postProcessor.process(texts, adds));
  }

  /** The tokens of a text, or of words of which each counts as a text, with all that is known of them. */
  tokens(input: EncodeInput, type = 0): TokenEncoding {
    if (typeof input === "string") return this.#encodeText(wellFormed(input), null, type);
    const words = input.map((word, i) => this.#encodeText(wellFormed(word), i, type));
    return TokenEncoding.joined(words);
  }

  /** The text of tokens. Numbers that no token has are passed over. */
  decode(ids: Iterable<number>, { skipSpecialTokens = true }: { skipSpecialTokens?: boolean } = {}): string {
    const tokens: string[] = [];
    for (const id of ids) {
      const token = this.idToToken(id);
      if (token !== undefined && !(skipSpecialTokens && this.#added.isSpecial(token))) tokens.push(token);
    }
    return this.decodeTokens(tokens);
  }

  /** The text of tokens that are given by their own texts. */
  decodeTokens(tokens: readonly string[]): string {
    if (this.#decode === null) return tokens.join(" ");
    return tokens.length === 0 ? "" : this.#decode([...tokens]).join("");
  }

  #pieces(text: string): PreTokenizedString {
    const pieces = this.#added.extract(text);
    this.#preTokenize?.(pieces);
    return pieces;
  }

  /** `word` is the number of the word that all of the text is; without, words are counted. */
  #encodeText(text: string, word: number | null, type: number): TokenEncoding {
    const encoding = new TokenEncoding();
    const charOf = charsOfUnits(text);
    const chars = (unit: number) => charOf?.[unit] ?? unit;
    for (const [piece, { normalized, id }] of this.#pieces(text).pieces.entries()) {
      const index = word ?? piece;
      const push = (id: number, token: string, from: number, to: number) =>
        encoding.push(id, token, chars(normalized.start(from)), chars(normalized.end(to - 1)), index, type);
      if (id >= 0) {
        push(id, normalized.text, 0, normalized.text.length);
        continue;
      }
      const { ids, starts, ends, inBytes, tokens } = this.#model.tokenize(normalized.text);
      const bytes = inBytes ? new ByteRanges(normalized, text, chars) : null;
      for (let i = 0; i < ids.length; i++) {
        const token = tokens?.[i] ?? this.#model.idToToken(ids[i]!)!;
        if (bytes === null) push(ids[i]!, token, starts[i]!, ends[i]!);
        else encoding.push(ids[i]!, token, ...bytes.chars(starts[i]!, ends[i]!), index, type);
      }
    }
    return encoding;
  }
}

function wellFormed(text: string): string {
  return text.replace(LONE_SURROGATES, "\ufffd");
}

/** The number of code points before each unit; null when units and code points are the same. */
function charsOfUnits(text: string): Int32Array | null {
  let first = 0;
  while (first < text.length && (text.charCodeAt(first) & 0xf800) !== 0xd800) first++;
  if (first === text.length) return null;
  const chars = new Int32Array(text.length + 1);
  let char = 0;
  for (let i = 0; i < text.length; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xdc00) chars[i] = char - 1;
    else chars[i] = char++;
  }
  chars[text.length] = char;
  return chars;
}

/** Ranges of tokens whose places in a word are in bytes. */
class ByteRanges {
  readonly #normalized: NormalizedString;
  readonly #text: string;
  readonly #charsOf: (unit: number) => number;
  readonly #units: readonly number[];

  constructor(normalized: NormalizedString, text: string, charsOf: (unit: number) => number) {
    this.#normalized = normalized;
    this.#text = text;
    this.#charsOf = charsOf;
    this.#units = unitsOfBytes(normalized.text);
  }

  /** The range in characters of the whole text. */
  chars(start: number, end: number): [start: number, end: number] {
    const units = this.#units;
    if (end > units.length) return this.#beyond(start, end);
    return [this.#charsOf(this.#normalized.start(units[start]!)), this.#charsOf(this.#normalized.end(units[end - 1]!))];
  }

  /** Places beyond the word's end are read as places in the whole text, as in Rust. */
  #beyond(start: number, end: number): [number, number] {
    const units = unitsOfBytes(this.#text);
    if (start >= units.length) return [start, end];
    const first = this.#charsOf(units[start]!);
    if (end < units.length) return [first, this.#charsOf(units[end]!)];
    return [first, (end === units.length ? this.#charsOf(units[end - 1]!) : first + 1) + 1];
  }
}
