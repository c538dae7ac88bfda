/** Tokens of a text or a pair with all that is known of them. Rust counterpart: `tokenizer/encoding.rs`. */
import { StateError } from "../core/errors.ts";

/** The side on which something is added or cut. */
export type Direction = "Left" | "Right";

/** All arrays have one entry per token. */
export class TokenEncoding {
  ids: number[] = [];
  /** Which part of the input a token belongs to, as the post-processor says. */
  typeIds: number[] = [];
  tokens: string[] = [];
  /** The word that a token is of, counted from 0; null for special tokens. */
  words: (number | null)[] = [];
  /** What a token stands for in its own text: [start, end) in code points. */
  starts: number[] = [];
  ends: number[] = [];
  /** 1 for a token that the post-processor or padding put. */
  specialTokensMask: number[] = [];
  /** 0 for padding. */
  attentionMask: number[] = [];
  /** What truncation cut off, in pieces. */
  overflowing: TokenEncoding[] = [];
  /** Tokens [start, end) of each text. */
  sequences: Map<number, [start: number, end: number]> = new Map();

  get length(): number {
    return this.ids.length;
  }

  get offsets(): [start: number, end: number][] {
    return this.starts.map((start, i) => [start, this.ends[i]!]);
  }

  /** The text that each token is of, 0 or 1; null for special tokens. A text whose range is not known has all tokens. */
  get sequenceIds(): (number | null)[] {
    const found: (number | null)[] = new Array(this.length).fill(null);
    const count = Math.max(1, this.sequences.size);
    for (let id = 0; id < count; id++) found.fill(id, ...(this.sequences.get(id) ?? [0, this.length]));
    return found;
  }

  push(id: number, token: string, start: number, end: number, word: number | null, type: number): void {
    this.ids.push(id);
    this.tokens.push(token);
    this.starts.push(start);
    this.ends.push(end);
    this.words.push(word);
    this.typeIds.push(type);
    this.specialTokensMask.push(0);
    this.attentionMask.push(1);
  }

  pushSpecial(id: number, token: string, type: number): void {
    this.push(id, token, 0, 0, null, type);
    this.specialTokensMask[this.length - 1] = 1;
  }

  setSequence(id: number): void {
    this.sequences.set(id, [0, this.length]);
  }

  setType(type: number): void {
    this.typeIds.fill(type);
  }

  /** Tokens [start, end), without what had overflowed. */
  slice(start: number, end: number): TokenEncoding {
    const part = new TokenEncoding();
    part.ids = this.ids.slice(start, end);
    part.typeIds = this.typeIds.slice(start, end);
    part.tokens = this.tokens.slice(start, end);
    part.words = this.words.slice(start, end);
    part.starts = this.starts.slice(start, end);
    part.ends = this.ends.slice(start, end);
    part.specialTokensMask = this.specialTokensMask.slice(start, end);
    part.attentionMask = this.attentionMask.slice(start, end);
    return part;
  }

  copy(): TokenEncoding {
    const copy = this.slice(0, this.length);
    copy.overflowing = this.overflowing;
    copy.sequences = new Map(this.sequences);
    return copy;
  }

  /** At most `max` tokens; the rest overflows in pieces that share `stride` tokens with what comes before. */
  truncated(max: number, stride: number, direction: Direction): TokenEncoding {
    if (max >= this.length) return this;
    if (max === 0) {
      const none = new TokenEncoding();
      none.overflowing = [this];
      return none;
    }
    if (stride >= max) {
      throw new StateError(`truncation has a stride of ${stride}; with room for ${max} tokens it must be smaller`);
    }
    const parts = ranges(this.length, max, max - stride, direction).map(([start, end]) => this.slice(start, end));
    parts[0]!.overflowing = parts.slice(1);
    return parts[0]!;
  }

  /** Appends the tokens of another; what overflowed is combined each with each. */
  append(other: TokenEncoding): void {
    const overflowing: TokenEncoding[] = [];
    const joined = (first: TokenEncoding, second: TokenEncoding) => {
      const whole = first.copy();
      whole.append(second);
      overflowing.push(whole);
    };
    for (const own of this.overflowing) {
      joined(own, other);
      for (const theirs of other.overflowing) joined(own, theirs);
    }
    for (const theirs of other.overflowing) joined(this, theirs);
    const before = this.length;
    for (const [id, [start, end]] of other.sequences) this.sequences.set(id, [before + start, before + end]);
    this.ids = this.ids.concat(other.ids);
    this.typeIds = this.typeIds.concat(other.typeIds);
    this.tokens = this.tokens.concat(other.tokens);
    this.words = this.words.concat(other.words);
    this.starts = this.starts.concat(other.starts);
    this.ends = this.ends.concat(other.ends);
    this.specialTokensMask = this.specialTokensMask.concat(other.specialTokensMask);
    this.attentionMask = this.attentionMask.concat(other.attentionMask);
    this.overflowing = overflowing;
  }

  static joined(encodings: readonly TokenEncoding[]): TokenEncoding {
    const whole = new TokenEncoding();
    for (const encoding of encodings) whole.append(encoding);
    return whole;
  }
}

/** The pieces [start, end) of `length` tokens, at most `max` long, each `step` from the last. */
function ranges(length: number, max: number, step: number, direction: Direction): [number, number][] {
  const found: [number, number][] = [];
  for (let at = 0; at < length; at += step) {
    const range: [number, number] =
      direction === "Right" ? [at, Math.min(at + max, length)] : [Math.max(0, length - at - max), length - at];
    found.push(range);
    if (direction === "Right" ? range[1] === length : range[0] === 0) break;
  }
  return found;
}
