/**
 * Matches a pattern by trying, with a limit on the steps taken: for patterns with which the engine's own matcher might
 * never end. Oniguruma gives up after 10 million steps as well.
 */
import { FormatError } from "../../core/errors.ts";
import { codePointSet } from "../unicode/code-point-set.ts";
import type { PatternNode } from "./pattern-tree.ts";
import type { Search } from "./regexp-matcher.ts";

const MAX_STEPS = 10_000_000;
/** Repetitions of a group, whose nested calls use up the stack. */
const MAX_DEPTH = 1_000;

interface State {
  readonly text: string;
  steps: number;
  depth: number;
}

/** What follows: it returns the end of the match, or -1. */
type Next = (at: number) => number;
type Step = (state: State, at: number, next: Next) => number;

export function limitedSearch(node: PatternNode, path: string): Search {
  const step = compile(node, path, false);
  return (text, from) => {
    for (let start = from; start <= text.length; ) {
      const end = attempt(() => step({ text, steps: 0, depth: 0 }, start, (at) => at), path);
      if (end >= 0) return { start, end };
      start += (text.codePointAt(start) ?? 0) > 0xffff ? 2 : 1;
    }
    return null;
  };
}

/** Pieces of a pattern that each repeat seldom may be nested too deep together. */
function attempt(match: () => number, path: string): number {
  try {
    return match();
  } catch (error) {
    if (error instanceof RangeError)
      throw new FormatError(`${path} is nested too deep to match a text`, { cause: error });
    throw error;
  }
}

/** `backwards` for what a look behind holds: it moves toward the beginning. */
function compile(node: PatternNode, path: string, backwards: boolean): Step {
  switch (node.kind) {
    case "set":
      return compileSet(node.source, path, backwards);
    case "edge":
      return (state, at, next) => (at === (node.atStart ? 0 : state.text.length) ? next(at) : -1);
    case "sequence": {
      const steps = node.parts.map((part) => compile(part, path, backwards));
      return inTurn(backwards ? steps.reverse() : steps);
    }
    case "choice":
      return compileChoice(node.parts.map((part) => compile(part, path, backwards)));
    case "atomic": {
      const step = compile(node.part, path, backwards);
      return (state, at, next) => {
        const end = step(state, at, (to) => to);
        return end < 0 ? -1 : next(end);
      };
    }
    case "look": {
      const step = compile(node.part, path, !node.ahead);
      return (state, at, next) => (step(state, at, (to) => to) >= 0 === !node.negative ? next(at) : -1);
    }
    case "repeat":
      return compileRepeat(node, path, backwards);
  }
}

function compileSet(source: string, path: string, backwards: boolean): Step {
  const has = codePointSet(source, "", "v");
  return (state, at, next) => {
    if (++state.steps > MAX_STEPS) {
      throw new FormatError(`${path} takes more than ${MAX_STEPS} steps to match a text; a simpler pattern would not`);
    }
    const { text } = state;
    if (backwards) {
      if (at === 0) return -1;
      const width = at > 1 && text.codePointAt(at - 2)! > 0xffff ? 2 : 1;
      return has(text.codePointAt(at - width)!) ? next(at - width) : -1;
    }
    const char = text.codePointAt(at);
    return char !== undefined && has(char) ? next(at + (char > 0xffff ? 2 : 1)) : -1;
  };
}

function inTurn(steps: readonly Step[]): Step {
  const from = (i: number): Step => {
    const step = steps[i];
    if (step === undefined) return (_, at, next) => next(at);
    const rest = from(i + 1);
    return i === steps.length - 1 ? step : (state, at, next) => step(state, at, (to) => rest(state, to, next));
  };
  return from(0);
}

function compileChoice(steps: readonly Step[]): Step {
  return (state, at, next) => {
    for (const step of steps) {
      const end = step(state, at, next);
      if (end >= 0) return end;
    }
    return -1;
  };
}

function compileRepeat(node: PatternNode & { kind: "repeat" }, path: string, backwards: boolean): Step {
  const { min, max, mode } = node;
  if (mode === "possessive") return compile({ kind: "atomic", part: { ...node, mode: "greedy" } }, path, backwards);
  const step = compile(node.part, path, backwards);
  if (node.part.kind === "set") return repeatSet(step, min, max, mode === "lazy");
  const repeat = (state: State, at: number, count: number, next: Next): number => {
    if (++state.depth > MAX_DEPTH) {
      throw new FormatError(`${path} repeats a group more than ${MAX_DEPTH} times; a simpler pattern would not`);
    }
    const again = () =>
      count < max ? step(state, at, (to) => (to === at && count >= min ? -1 : repeat(state, to, count + 1, next))) : -1;
    const on = () => (count >= min ? next(at) : -1);
    const first = mode === "lazy" ? on() : again();
    const end = first >= 0 ? first : mode === "lazy" ? again() : on();
    state.depth--;
    return end;
  };
  return (state, at, next) => repeat(state, at, 0, next);
}

/** Without nested calls: the places that single characters lead to are kept in a list. */
function repeatSet(step: Step, min: number, max: number, lazy: boolean): Step {
  const advance = (state: State, at: number) => step(state, at, (to) => to);
  return (state, at, next) => {
    let to = at;
    let count = 0;
    for (; count < min; count++) {
      to = advance(state, to);
      if (to < 0) return -1;
    }
    if (lazy) {
      for (; ; count++) {
        const end = next(to);
        if (end >= 0 || count >= max) return end;
        to = advance(state, to);
        if (to < 0) return -1;
      }
    }
    const places = [to];
    for (; count < max; count++) {
      to = advance(state, to);
      if (to < 0) break;
      places.push(to);
    }
    for (let i = places.length - 1; i >= 0; i--) {
      const end = next(places[i]!);
      if (end >= 0) return end;
    }
    return -1;
  };
}
