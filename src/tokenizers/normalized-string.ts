/**
 * A text while it is changed, with the way back: for each UTF-16 unit of the text as it is now, the range of the original
 * that it stands for. Rust counterpart: `tokenizer/normalizer.rs`, which counts in bytes.
 *
 * A change of characters is a list of code points, each with a number: 0 replaces the next character, 1 is put in
 * (and stands for what the character before it stands for), -n replaces the next character and drops n after it.
 */

/** Characters that come instead of others, and how: see above. */
export class TextChange {
  readonly chars: number[] = [];
  readonly steps: number[] = [];

  push(char: number, step: number): void {
    this.chars.push(char);
    this.steps.push(step);
  }
}

export class NormalizedString {
  /** The text as it is now. */
  text: string;
  /** Where the original begins in the whole text, in UTF-16 units. */
  readonly origin: number;
  readonly #originalLength: number;
  /** Per unit of `text`, from unit `#at` on, places in the whole text; null while each unit stands for the one at its place. */
  #starts: Int32Array | null = null;
  #ends: Int32Array | null = null;
  #at = 0;

  constructor(text: string, origin = 0, originalLength: number = text.length) {
    this.text = text;
    this.origin = origin;
    this.#originalLength = originalLength;
  }

  /** Where unit `i` starts in the whole text. */
  start(i: number): number {
    if (this.#starts !== null) return this.#starts[this.#at + i]!;
    return this.origin + (isLow(this.text.charCodeAt(i)) ? i - 1 : i);
  }

  /** Where unit `i` ends in the whole text. */
  end(i: number): number {
    if (this.#ends !== null) return this.#ends[this.#at + i]!;
    return this.origin + (isHigh(this.text.charCodeAt(i)) ? i + 2 : i + 1);
  }

  /** The part from one unit to another, which must not be empty. */
  slice(from: number, to: number): NormalizedString {
    if (from === 0 && to === this.text.length && this.#starts === null) return this;
    if (this.#starts === null) return new NormalizedString(this.text.slice(from, to), this.origin + from);
    const start = this.start(from);
    const part = new NormalizedString(this.text.slice(from, to), start, Math.max(0, this.end(to - 1) - start));
    part.#starts = this.#starts; // shared, as no array changes once it is made
    part.#ends = this.#ends;
    part.#at = this.#at + from;
    return part;
  }

  /** Replaces the text by one whose characters have the same widths, each standing for the same as before. */
  mapped(text: string): void {
    this.text = text;
  }

  /** Replaces all characters; `dropped` of them at the beginning stand for nothing any more. */
  transform(change: TextChange, dropped = 0): void {
    const range = this.#wholeOriginal();
    if (range !== null) this.#replace(range[0], range[1], change, dropped);
  }

  /** Puts text in front; it stands for what the first character stands for. Nothing happens to an empty text. */
  prepend(front: string): void {
    const first = this.text.codePointAt(0);
    if (first === undefined) return;
    const change = new TextChange();
    for (const char of front) change.push(char.codePointAt(0)!, change.chars.length === 0 ? 0 : 1);
    change.push(first, 1);
    this.#replace(0, first > 0xffff ? 2 : 1, change, 0);
  }

  /** Drops the characters that `keep` refuses. */
  filter(keep: (char: number) => boolean): void {
    const change = new TextChange();
    let last = -1;
    let removed = 0;
    let removedFirst = 0;
    let any = false;
    for (let i = 0; i < this.text.length; ) {
      const char = this.text.codePointAt(i)!;
      i += char > 0xffff ? 2 : 1;
      if (!keep(char)) {
        removed++;
        any = true;
        continue;
      }
      if (last >= 0) change.push(last, removed === 0 ? 0 : -removed);
      else removedFirst = removed;
      last = char;
      removed = 0;
    }
    if (!any) return;
    if (last >= 0) change.push(last, removed === 0 ? 0 : -removed);
    this.transform(change, removedFirst);
  }

  /**
   * Puts `content` in place of each match; it stands for what the last unit before the match's end stands for.
   * `matches` are triples of start, end and 1 for a match.
   */
  replace(matches: readonly number[], content: string): void {
    let text = "";
    let length = 0;
    const pieces: [from: number, to: number, isMatch: boolean][] = [];
    for (let m = 0; m < matches.length; m += 3) {
      const [from, to] = [matches[m]!, matches[m + 1]!];
      const isMatch = matches[m + 2] === 1;
      pieces.push([from, to, isMatch]);
      text += isMatch ? content : this.text.slice(from, to);
      length += isMatch ? content.length : to - from;
    }
    if (!pieces.some(([, , isMatch]) => isMatch)) return;
    const isSame = pieces.every(([from, to, isMatch]) => !isMatch || (to - from === content.length && to - from === 1));
    if (isSame) {
      this.text = text;
      return;
    }
    const starts = new Int32Array(length);
    const ends = new Int32Array(length);
    let at = 0;
    for (const [from, to, isMatch] of pieces) {
      if (!isMatch) {
        for (let i = from; i < to; i++, at++) {
          starts[at] = this.start(i);
          ends[at] = this.end(i);
        }
        continue;
      }
      starts.fill(to < 1 ? this.origin : this.start(to - 1), at, at + content.length);
      ends.fill(to < 1 ? this.origin : this.end(to - 1), at, at + content.length);
      at += content.length;
    }
    this.text = text;
    this.#align(starts, ends);
  }

  #align(starts: Int32Array, ends: Int32Array): void {
    this.#starts = starts;
    this.#ends = ends;
    this.#at = 0;
  }

  /** The units that stand for the whole original: all, save some put in before anything else. Null for none. */
  #wholeOriginal(): [number, number] | null {
    const length = this.text.length;
    if (this.#starts === null || length === 0) return [0, length];
    if (this.#originalLength === 0) return [0, 0];
    let first = 0;
    while (first < length && this.start(first) === this.end(first)) first++;
    return [first, length];
  }

  /** Units [from, to) give way to the characters of `change`. */
  #replace(from: number, to: number, { chars, steps }: TextChange, dropped: number): void {
    const text = this.text;
    const bounded = (i: number) => Math.max(0, Math.min(i, text.length - 1));
    const starts: number[] = [];
    const ends: number[] = [];
    let at = from; // the next character to replace
    const skip = (count: number) => {
      for (let i = 0; i < count && at < to; i++) at += isHigh(text.charCodeAt(at)) ? 2 : 1;
    };
    skip(dropped);
    let isSame = this.#starts === null && from === 0 && to === text.length;
    for (let i = 0; i < chars.length; i++) {
      const step = steps[i]!;
      let start = this.origin;
      let end = this.origin;
      if (step <= 0 || at >= 1) {
        const unit = bounded(step > 0 ? at - 1 : at);
        start = this.start(unit);
        end = this.end(unit);
      }
      const isWide = chars[i]! > 0xffff;
      const place = this.origin + starts.length;
      if (isSame && (step !== 0 || start !== place || end - start !== (isWide ? 2 : 1))) isSame = false;
      starts.push(start);
      ends.push(end);
      if (isWide) {
        starts.push(start);
        ends.push(end);
      }
      if (step <= 0) skip(1 - step);
    }
    const replaced = fromChars(chars);
    if (isSame && replaced.length === text.length) {
      this.text = replaced;
      return;
    }
    const after = text.length - to;
    const newStarts = new Int32Array(from + starts.length + after);
    const newEnds = new Int32Array(newStarts.length);
    for (let i = 0; i < from; i++) {
      newStarts[i] = this.start(i);
      newEnds[i] = this.end(i);
    }
    newStarts.set(starts, from);
    newEnds.set(ends, from);
    for (let i = 0; i < after; i++) {
      newStarts[from + starts.length + i] = this.start(to + i);
      newEnds[from + starts.length + i] = this.end(to + i);
    }
    this.text = text.slice(0, from) + replaced + text.slice(to);
    this.#align(newStarts, newEnds);
  }
}

/** Text from code points. */
export function fromChars(chars: readonly number[]): string {
  if (chars.length <= 8192) return String.fromCodePoint(...chars);
  let text = "";
  for (let i = 0; i < chars.length; i += 8192) text += String.fromCodePoint(...chars.slice(i, i + 8192));
  return text;
}

export function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

export function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
