/**
 * Unicode's normalization forms, with what each character came from. Rust counterpart: the crate
 * unicode-normalization-alignments. The engine's own `normalize` tells decompositions, compositions and which of two
 * marks comes first, so no tables are needed but those of what the crate does not know.
 */

import { classRanges, codePointSet, readRanges } from "../../core/patterns/code-point-set.ts";
import { type NormalizedString, TextChange } from "../normalized-string.ts";
import { NOT_NORMALIZED, NOT_NORMALIZED_COMPATIBLY } from "./tables.ts";

export type Form = "NFC" | "NFD" | "NFKC" | "NFKD";

/** Has the lowest priority but one of all marks (class 240). */
const IOTA = "\u0345";

export class NormalizationForm {
  readonly #form: Form;
  readonly #composes: boolean;
  readonly #decomposed: "NFD" | "NFKD";
  readonly #isOpaque: (char: number) => boolean;
  readonly #hasOpaque: RegExp;
  readonly #parts = new Map<number, readonly number[]>();
  readonly #marks = new Map<number, boolean>();
  readonly #pairs = new Map<string, number>();

  constructor(form: Form) {
    this.#form = form;
    this.#composes = form === "NFC" || form === "NFKC";
    this.#decomposed = form === "NFC" || form === "NFD" ? "NFD" : "NFKD";
    const opaque = [
      ...readRanges(NOT_NORMALIZED),
      ...(this.#decomposed === "NFKD" ? readRanges(NOT_NORMALIZED_COMPATIBLY) : []),
    ];
    const pattern = `[${classRanges(opaque)}]`;
    this.#isOpaque = codePointSet(pattern);
    this.#hasOpaque = new RegExp(pattern, "u");
  }

  apply(normalized: NormalizedString): void {
    const { text } = normalized;
    if (isAscii(text)) return;
    if (text.normalize(this.#form) === text && !this.#hasOpaque.test(text)) return;
    const decomposed = this.#decompose(text);
    normalized.transform(this.#composes ? this.#compose(decomposed) : decomposed);
  }

  #decompose(text: string): TextChange {
    const change = new TextChange();
    const { chars, steps } = change;
    let pending = 0; // where the marks begin that are not in order yet
    for (let i = 0; i < text.length; ) {
      const char = text.codePointAt(i)!;
      i += char > 0xffff ? 2 : 1;
      if (char < 0x80) {
        pending = chars.length + 1;
        change.push(char, 0);
        continue;
      }
      const parts = this.#partsOf(char);
      for (let p = 0; p < parts.length; p++) {
        const part = parts[p]!;
        change.push(part, p === 0 ? 0 : 1);
        if (!this.#isMark(part)) pending = chars.length;
        for (let at = chars.length - 1; at > pending && this.#comesBefore(chars[at]!, chars[at - 1]!); at--) {
          [chars[at], chars[at - 1]] = [chars[at - 1]!, chars[at]!];
          [steps[at], steps[at - 1]] = [steps[at - 1]!, steps[at]!];
        }
      }
    }
    return change;
  }

  #compose({ chars, steps }: TextChange): TextChange {
    const composed = new TextChange();
    let starter = -1; // its place in `composed`
    let last = -1; // the last mark behind it that did not melt into it
    for (let i = 0; i < chars.length; i++) {
      const [char, step] = [chars[i]!, steps[i]!];
      const isMark = this.#isMark(char);
      const isFree = last === -1 || (isMark && this.#comesBefore(last, char));
      if (starter >= 0 && isFree && char >= 0x80) {
        const whole = this.#composition(composed.chars[starter]!, char);
        if (whole >= 0) {
          composed.chars[starter] = whole;
          composed.steps[starter]! += step - 1;
          continue;
        }
      }
      composed.push(char, step);
      if (isMark) {
        if (starter >= 0) last = char;
      } else {
        starter = composed.chars.length - 1;
        last = -1;
      }
    }
    return composed;
  }

  #partsOf(char: number): readonly number[] {
    let parts = this.#parts.get(char);
    if (parts === undefined) {
      const text = String.fromCodePoint(char);
      parts = this.#isOpaque(char)
        ? [char]
        : Array.from(text.normalize(this.#decomposed), (part) => part.codePointAt(0)!);
      this.#parts.set(char, parts);
    }
    return parts;
  }

  /** Whether a character has a combining class other than 0. */
  #isMark(char: number): boolean {
    if (char < 0x300) return false;
    let answer = this.#marks.get(char);
    if (answer === undefined) {
      const text = String.fromCodePoint(char);
      answer = !this.#isOpaque(char) && (text === IOTA || !(IOTA + text).normalize("NFD").startsWith(IOTA));
      this.#marks.set(char, answer);
    }
    return answer;
  }

  /** Whether mark `a` has a lower combining class than mark `b`: then they change places when `b` stands first. */
  #comesBefore(a: number, b: number): boolean {
    if (a === b || !this.#isMark(b)) return false;
    const [first, second] = [String.fromCodePoint(a), String.fromCodePoint(b)];
    return (
      this.#remember(second + first, () => ((second + first).normalize("NFD") === first + second ? 1 : 0), "<") === 1
    );
  }

  /** The character that two melt into, or -1. */
  #composition(a: number, b: number): number {
    if (this.#isOpaque(a) || this.#isOpaque(b)) return -1;
    const pair = String.fromCodePoint(a, b);
    return this.#remember(
      pair,
      () => {
        const whole = pair.normalize("NFC");
        const char = whole.codePointAt(0)!;
        return whole.length === (char > 0xffff ? 2 : 1) && !this.#isOpaque(char) ? char : -1;
      },
      "+",
    );
  }

  #remember(pair: string, find: () => number, what: string): number {
    const key = what + pair;
    let answer = this.#pairs.get(key);
    if (answer === undefined) {
      answer = find();
      this.#pairs.set(key, answer);
    }
    return answer;
  }
}

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
