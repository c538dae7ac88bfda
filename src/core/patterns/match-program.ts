/**
 * Matches patterns of files that nobody vouches for. It tries as backtracking engines do, with their results, and remembers
 * where a fork has failed: the time grows with the length of the text, not with the number of ways through the pattern
 * (Norvig 1991, "memoization"; RE2's bit-state search). What cannot be remembered ends at a number of steps.
 */
import { FormatError } from "../errors.ts";
import type { Instruction, Program } from "./program.ts";

/** Steps for one text, and more for each of its characters. */
const STEPS = 10_000_000;
const STEPS_A_CHARACTER = 100;
/** Forks times places: a bit each of those that are reached. */
const MOST_REMEMBERED = 2 ** 30;
/** 2^17 bits. */
const WORDS_A_PAGE = 4096;

/** What a pattern may use. Several patterns or texts can share one. */
export class StepBudget {
  readonly most: number;
  #taken = 0;

  constructor(most: number = STEPS) {
    this.most = most;
  }

  /** `name` is what messages call the pattern. Throws FormatError when the steps are used up. */
  take(steps: number, name: string): void {
    this.#taken += steps;
    if (this.#taken <= this.most) return;
    throw new FormatError(`${name} takes more than ${this.most} steps to match a text; a simpler pattern would not`);
  }
}

/** Starts and ends of the whole and of each group, [start, end, ...]; -1 for groups that matched nothing. */
export type Places = Int32Array;

/** Matches one program in one text, at any of its places. */
export class ProgramMatch {
  readonly #program: Program;
  readonly #text: string;
  readonly #name: string;
  readonly #budget: StepBudget;
  readonly #places: Places;
  /** A bit for each fork at each place: it is being tried, or has failed. */
  readonly #seen: Int32Array[] = [];
  readonly #pageWords: number;

  /** Throws FormatError when text and pattern are too large together. */
  constructor(
    program: Program,
    text: string,
    name: string,
    budget = new StepBudget(STEPS + STEPS_A_CHARACTER * text.length),
  ) {
    this.#program = program;
    this.#text = text;
    this.#name = name;
    this.#budget = budget;
    this.#places = new Int32Array(program.slots);
    const bits = program.forks * (text.length + 1);
    if (bits > MOST_REMEMBERED) {
      throw new FormatError(
        `${name} has ${program.forks} forks, which is too many for a text of ${text.length} characters; a simpler pattern would do`,
      );
    }
    this.#pageWords = Math.min((bits >>> 5) + 1, WORDS_A_PAGE);
  }

  /** The first match from `from` on, or null. The result is overwritten by the next. */
  search(from: number): Places | null {
    for (let start = from; start <= this.#text.length; ) {
      const found = this.match(start);
      if (found !== null) return found;
      start += (this.#text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1;
    }
    return null;
  }

  /** The match that begins at `start`, or null. The result is overwritten by the next. */
  match(start: number): Places | null {
    this.#places.fill(-1);
    const end = this.#run(0, start);
    if (end < 0) return null;
    if (this.#program.remembers === "attempt") {
      this.#budget.take(this.#seen.length * 100, this.#name);
      this.#seen.length = 0;
    }
    this.#places[0] = start;
    this.#places[1] = end;
    return this.#places;
  }

  /** The end of the match of the instructions from `pc` on at `at`, or -1. */
  #run(pc: number, at: number): number {
    const { code, remembers } = this.#program;
    // What to do when a way fails: triples of what, and two numbers.
    const undo: number[] = [];
    let steps = 0;
    for (;;) {
      if (++steps >= 1000) {
        this.#budget.take(steps, this.#name);
        steps = 0;
      }
      const instruction = code[pc]!;
      let next = pc + 1;
      switch (instruction.op) {
        case "set":
          at = this.#move(instruction, at);
          break;
        case "edge":
          if (at !== (instruction.atStart ? 0 : this.#text.length)) at = -1;
          break;
        case "jump":
          next = instruction.to;
          break;
        case "fork":
          if (!this.#enter(instruction.fork, at)) {
            at = -1;
            break;
          }
          undo.push(LEAVE, instruction.fork, at);
          if (instruction.second !== instruction.first) undo.push(TRY, instruction.second, at);
          next = instruction.first;
          break;
        case "inner": {
          const end = this.#run(pc + 1, at);
          if (instruction.look === null) at = end;
          else if (end >= 0 !== (instruction.look === "at")) at = -1;
          next = instruction.next;
          break;
        }
        case "save":
          undo.push(instruction.slot, this.#places[instruction.slot]!, 0);
          this.#places[instruction.slot] = at;
          break;
        case "reference":
          at = this.#repeated(instruction, at);
          break;
        case "end":
          this.#budget.take(steps, this.#name);
          for (let i = 0; i < undo.length; i += 3) if (undo[i] === LEAVE) this.#leave(undo[i + 1]!, undo[i + 2]!);
          return at;
      }
      if (at >= 0) {
        pc = next;
        continue;
      }
      for (;;) {
        if (undo.length === 0) {
          this.#budget.take(steps, this.#name);
          return -1;
        }
        const second = undo.pop()!;
        const first = undo.pop()!;
        const what = undo.pop()!;
        if (what === TRY) {
          pc = first;
          at = second;
          break;
        }
        if (what !== LEAVE) this.#places[what] = first;
        else if (remembers === "no") this.#leave(first, second);
      }
    }
  }

  #move({ has, backwards }: Instruction & { op: "set" }, at: number): number {
    const text = this.#text;
    if (!backwards) {
      const char = text.codePointAt(at);
      return char !== undefined && has(char) ? at + (char > 0xffff ? 2 : 1) : -1;
    }
    if (at === 0) return -1;
    const width = at > 1 && text.codePointAt(at - 2)! > 0xffff ? 2 : 1;
    return has(text.codePointAt(at - width)!) ? at - width : -1;
  }

  #repeated({ index, backwards }: Instruction & { op: "reference" }, at: number): number {
    const [start, end] = [this.#places[2 * index]!, this.#places[2 * index + 1]!];
    if (start < 0 || end < start) return -1;
    const from = backwards ? at - (end - start) : at;
    this.#budget.take((end - start) / 16, this.#name);
    if (from < 0 || !this.#text.startsWith(this.#text.slice(start, end), from)) return -1;
    return backwards ? from : at + (end - start);
  }

  /** Whether the fork is not being tried at this place, and has not failed there. */
  #enter(fork: number, at: number): boolean {
    const bit = at * this.#program.forks + fork;
    this.#seen[bit >>> 17] ??= new Int32Array(this.#pageWords);
    const page = this.#seen[bit >>> 17]!;
    const mask = 1 << (bit & 31);
    const word = (bit >>> 5) & (WORDS_A_PAGE - 1);
    if ((page[word]! & mask) !== 0) return false;
    page[word]! |= mask;
    return true;
  }

  #leave(fork: number, at: number): void {
    const bit = at * this.#program.forks + fork;
    this.#seen[bit >>> 17]![(bit >>> 5) & (WORDS_A_PAGE - 1)]! &= ~(1 << (bit & 31));
  }
}

const TRY = -1;
const LEAVE = -2;
