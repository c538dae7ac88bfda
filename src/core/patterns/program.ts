/** A pattern as instructions for `matchProgram`. */
import { FormatError } from "../errors.ts";
import { codePointSet } from "./code-point-set.ts";
import { canBeEmpty, type PatternNode } from "./pattern-tree.ts";

/** The next instruction follows, except where one names others by their numbers. */
export type Instruction =
  | { readonly op: "set"; readonly has: (char: number) => boolean; readonly backwards: boolean }
  | { readonly op: "edge"; readonly atStart: boolean }
  /** Tries `first`, then `second`. Its number among forks is `fork`. */
  | { readonly op: "fork"; readonly fork: number; first: number; second: number }
  | { readonly op: "jump"; to: number }
  /** Runs the instructions after it as a separate match up to an "end", then continues at `next`. */
  | { readonly op: "inner"; readonly look: "at" | "not" | null; next: number }
  | { readonly op: "save"; readonly slot: number }
  | { readonly op: "reference"; readonly index: number; readonly backwards: boolean }
  | { readonly op: "end" };

export interface Program {
  readonly code: readonly Instruction[];
  /** How many forks it has. */
  readonly forks: number;
  /** How many places groups keep: two for each, and two for the whole. */
  readonly slots: number;
  /**
   * Whether a fork that failed at a place fails there always ("text"), until something matches ("attempt"), or not even so:
   * what follows depends on what groups have matched, or on a repetition that goes round without moving.
   */
  readonly remembers: "text" | "attempt" | "no";
}

/** Repetitions are written out. */
const MOST_INSTRUCTIONS = 50_000;

/** `name` is what messages call the pattern. Throws FormatError when it is too large. */
export function programOf(node: PatternNode, name: string): Program {
  const writer = new Writer(name);
  writer.write(node, false);
  writer.push({ op: "end" });
  const { code, forks, slots, refers, loopsInPlace } = writer;
  const alone = !code.some(({ op }) => op === "inner");
  const remembers = refers || (loopsInPlace && !alone) ? "no" : loopsInPlace ? "attempt" : "text";
  return { code, forks, slots, remembers };
}

type Fork = Instruction & { readonly op: "fork" };

class Writer {
  readonly code: Instruction[] = [];
  forks = 0;
  slots = 2;
  refers = false;
  loopsInPlace = false;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  push<I extends Instruction>(instruction: I): I {
    if (this.code.length >= MOST_INSTRUCTIONS) {
      throw new FormatError(
        `${this.#name} is too large: more than ${MOST_INSTRUCTIONS} steps with repetitions written out`,
      );
    }
    this.code.push(instruction);
    return instruction;
  }

  /** `backwards` for what a look behind holds: it moves toward the beginning. */
  write(node: PatternNode, backwards: boolean): void {
    switch (node.kind) {
      case "set":
        this.push({ op: "set", has: codePointSet(node.source, "", "v"), backwards });
        return;
      case "edge":
        this.push({ op: "edge", atStart: node.atStart });
        return;
      case "sequence":
        for (const part of backwards ? [...node.parts].reverse() : node.parts) this.write(part, backwards);
        return;
      case "choice":
        this.#choice(node.parts, backwards);
        return;
      case "repeat":
        this.#repeat(node, backwards);
        return;
      case "atomic":
        this.#inner(null, node.part, backwards);
        return;
      case "look":
        this.#inner(node.negative ? "not" : "at", node.part, !node.ahead);
        return;
      case "group":
        this.#group(node.part, node.index, backwards);
        return;
      case "reference":
        this.refers = true;
        this.push({ op: "reference", index: node.index, backwards });
    }
  }

  #fork(): Fork {
    const fork = this.push({ op: "fork", fork: this.forks++, first: 0, second: 0 });
    fork.first = this.code.length;
    return fork;
  }

  /** A place that several ways lead to: what fails behind it is remembered once. */
  #join(): void {
    const join = this.#fork();
    join.second = join.first;
  }

  #choice(parts: readonly PatternNode[], backwards: boolean): void {
    const jumps = parts.slice(0, -1).map((part) => {
      const fork = this.#fork();
      this.write(part, backwards);
      const jump = this.push({ op: "jump", to: 0 });
      fork.second = this.code.length;
      return jump;
    });
    this.write(parts.at(-1)!, backwards);
    for (const jump of jumps) jump.to = this.code.length;
    this.#join();
  }

  #repeat(node: PatternNode & { kind: "repeat" }, backwards: boolean): void {
    const { part, min, max, mode } = node;
    if (mode === "possessive") {
      this.#inner(null, { ...node, mode: "greedy" }, backwards);
      return;
    }
    const lazy = mode === "lazy";
    const endless = max === Number.POSITIVE_INFINITY;
    if (endless && canBeEmpty(part)) this.loopsInPlace = true;
    for (let i = endless ? 1 : 0; i < min; i++) this.write(part, backwards);
    const forks: Fork[] = [];
    const start = this.code.length;
    if (endless && min > 0) {
      this.write(part, backwards);
      forks.push(this.#fork());
      forks[0]!.first = start;
    } else if (endless) {
      forks.push(this.#fork());
      this.write(part, backwards);
      this.push({ op: "jump", to: start });
    } else {
      for (let i = min; i < max; i++) {
        forks.push(this.#fork());
        this.write(part, backwards);
      }
    }
    this.#exits(forks, lazy);
    if (forks.length > 1) this.#join();
  }

  /** The other way of each fork is to go on here, first if lazy. */
  #exits(forks: readonly Fork[], lazy: boolean): void {
    for (const fork of forks) {
      fork.second = this.code.length;
      if (lazy) [fork.first, fork.second] = [fork.second, fork.first];
    }
  }

  #inner(look: "at" | "not" | null, part: PatternNode, backwards: boolean): void {
    this.#join();
    const inner = this.push({ op: "inner", look, next: 0 });
    this.write(part, backwards);
    this.push({ op: "end" });
    inner.next = this.code.length;
  }

  #group(part: PatternNode, index: number, backwards: boolean): void {
    this.slots = Math.max(this.slots, 2 * index + 2);
    this.push({ op: "save", slot: 2 * index + Number(backwards) });
    this.write(part, backwards);
    this.push({ op: "save", slot: 2 * index + Number(!backwards) });
  }
}
