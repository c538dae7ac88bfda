/** Goes through the text of a pattern. */
import { FormatError, UnsupportedError } from "../errors.ts";

export class PatternReader {
  readonly source: string;
  readonly path: string;
  #at = 0;

  constructor(source: string, path: string) {
    this.source = source;
    this.path = path;
  }

  get atEnd(): boolean {
    return this.#at >= this.source.length;
  }

  /** The next unit, "" at the end. */
  get peek(): string {
    return this.source.charAt(this.#at);
  }

  peekAt(distance: number): string {
    return this.source.charAt(this.#at + distance);
  }

  get rest(): string {
    return this.source.slice(this.#at);
  }

  /** Moves behind `text` if it comes next. */
  take(text: string): boolean {
    if (text === "" || !this.source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  skip(length: number): void {
    this.#at += length;
  }

  /** The next character, as a code point. */
  char(): number {
    const char = this.source.codePointAt(this.#at);
    if (char === undefined) throw this.wrong("ends too early");
    this.#at += char > 0xffff ? 2 : 1;
    return char;
  }

  /** What comes before `end`; moves behind it. */
  takeUntil(end: string): string {
    const found = this.source.indexOf(end, this.#at);
    if (found < 0) throw this.wrong(`lacks "${end}"`);
    const text = this.source.slice(this.#at, found);
    this.#at = found + end.length;
    return text;
  }

  takeHex(most: number): string {
    const digits = /^[0-9A-Fa-f]*/.exec(this.source.slice(this.#at, this.#at + most))![0];
    this.#at += digits.length;
    return digits;
  }

  wrong(what: string): FormatError {
    return new FormatError(`${this.path} ${what}: ${JSON.stringify(this.source.slice(0, 200))}`);
  }

  unsupported(what: string): UnsupportedError {
    return new UnsupportedError(`${this.path} ${what}: ${JSON.stringify(this.source.slice(0, 200))}`);
  }
}
