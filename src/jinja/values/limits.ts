/**
 * What one rendering may use. A template is untrusted input: each limit ends it with an error that names the limit.
 * All of them stand here; `Template.render` takes other values for any of them.
 */
import { TemplateError } from "./errors.ts";

/** Limits on what a template may do. */
export interface TemplateLimits {
  /** Steps: one for each expression, statement and item, and one for each 16 characters that an operation reads or makes. */
  readonly steps: number;
  /** Characters (UTF-16 units) of one string, the rendered text included. */
  readonly text: number;
  /** Entries of one list or tuple. */
  readonly entries: number;
  /** Numbers in one `range`, as Jinja's sandbox has it. */
  readonly range: number;
  /** Macros and recursive loops that run inside one another. */
  readonly depth: number;
  /** Lists and dicts inside one another, where they are printed, compared or written as JSON. */
  readonly nesting: number;
  /** Binary digits of an int. */
  readonly bits: number;
}

export const LIMITS: TemplateLimits = {
  steps: 2_000_000,
  text: 1 << 24,
  entries: 1 << 20,
  range: 100_000,
  depth: 150,
  nesting: 250,
  bits: 1 << 15,
};

const CHARACTERS_A_STEP = 16;

/** Counts what one rendering uses. */
export class Budget {
  readonly limits: TemplateLimits;
  #steps = 0;
  #depth = 0;

  constructor(limits: TemplateLimits) {
    this.limits = limits;
  }

  step(count = 1): void {
    this.#steps += count;
    if (this.#steps > this.limits.steps) throw over("steps", this.limits.steps);
  }

  /** To be called before a string of this length is made. */
  text(length: number): void {
    this.size(length);
    this.step(1 + length / CHARACTERS_A_STEP);
  }

  /** The length of a text that grows piece by piece. */
  size(length: number): void {
    if (length > this.limits.text) throw over("text", this.limits.text);
  }

  /** To be called before each character of a string is looked at on its own. */
  characters(count: number): void {
    this.step(count);
  }

  /** To be called before a list of this length is made. */
  entries(count: number): void {
    if (count > this.limits.entries) throw over("entries", this.limits.entries);
    this.step(1 + count / 4);
  }

  bits(count: number): void {
    if (count > this.limits.bits) throw over("bits", this.limits.bits);
  }

  range(count: bigint): void {
    if (count <= BigInt(this.limits.range)) return;
    throw new TemplateError("OverflowError", `range of ${count} numbers, the sandbox allows ${this.limits.range}`);
  }

  nesting(depth: number): void {
    if (depth > this.limits.nesting) throw over("nesting", this.limits.nesting);
  }

  /** Runs a macro or a turn of a recursive loop. */
  inside<T>(work: () => T): T {
    if (this.#depth >= this.limits.depth) throw over("depth", this.limits.depth);
    this.#depth++;
    try {
      return work();
    } finally {
      this.#depth--;
    }
  }
}

function over(name: keyof TemplateLimits, limit: number): TemplateError {
  return new TemplateError("LimitError", `the template goes beyond the limit of ${limit} for "${name}"`);
}
