/** Where rendered text goes: into the result, or first into a buffer. */
import { codePointCount } from "../values/code-points.ts";
import type { Budget } from "../values/limits.ts";

/** Text that a block, macro or filter takes before it goes on. */
export class Buffer {
  readonly #budget: Budget;
  readonly #parts: string[] = [];
  #length = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  write(text: string, _message: number | null): void {
    this.#length += text.length;
    this.#budget.text(text.length);
    this.#budget.size(this.#length);
    this.#parts.push(text);
  }

  text(): string {
    return this.#parts.join("");
  }

  get length(): number {
    return this.#length;
  }
}

/** A stretch of the result, in UTF-16 units, that one turn of a loop over messages wrote. */
export interface Turn {
  readonly message: number;
  readonly start: number;
  end: number;
}

/** The result itself, which remembers who wrote what. */
export class Result extends Buffer {
  readonly turns: Turn[] = [];
  /** Code points [start, end) that generation blocks wrote. */
  readonly generations: { readonly start: number; readonly end: number }[] = [];
  #codePoints = 0;
  #writes = 0;

  override write(text: string, message: number | null): void {
    const start = this.length;
    super.write(text, message);
    this.#writes++;
    this.#codePoints += codePointCount(text);
    if (message === null || text === "") return;
    const last = this.turns.at(-1);
    if (last?.message === message && last.end === start) last.end = this.length;
    else this.turns.push({ message, start, end: this.length });
  }

  /** transformers counts from what is written so far, and not at all before the first text. */
  generated(text: string): void {
    if (this.#writes === 0 && this.generations.length === 0) return;
    this.generations.push({ start: this.#codePoints, end: this.#codePoints + codePointCount(text) });
  }
}
