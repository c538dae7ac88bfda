/** Patterns as regular expressions of the engine, for those that it matches in reasonable time. */
import type { PatternNode } from "../../core/patterns/pattern-tree.ts";

/** More repetitions than this count as without end. */
const SHORT = 1000;
/** What an attempt that fails at a place has tried there. */
export interface Tries {
  /** Repetitions without end behind one another: each may look at all that follows. */
  readonly endless: number;
  /** Ways to go on between them, a few characters long. */
  readonly ways: number;
}

const ONE_WAY: Tries = { endless: 0, ways: 1 };

/** `isLast` where nothing that follows can fail: what has matched there is not tried another way. */
export function triesOf(node: PatternNode, isLast = true): Tries {
  switch (node.kind) {
    case "set":
    case "edge":
      return ONE_WAY;
    case "sequence": {
      let tries = ONE_WAY;
      let last = isLast;
      for (const part of [...node.parts].reverse()) {
        const { endless, ways } = triesOf(part, last);
        tries = { endless: tries.endless + endless, ways: tries.ways * ways };
        last = last && alwaysMatches(part);
      }
      return tries;
    }
    case "choice": {
      const parts = node.parts.map((part) => triesOf(part, isLast));
      const ways = parts.reduce((sum, part) => sum + part.ways, 0);
      return { endless: Math.max(...parts.map(({ endless }) => endless)), ways };
    }
    case "group":
      return triesOf(node.part, isLast);
    case "look": {
      const { ways } = triesOf(node.part);
      return { endless: isEndless(node.part) ? Number.POSITIVE_INFINITY : 0, ways }; // it may look far where it matches, too
    }
    case "atomic": {
      const { endless, ways } = triesOf(node.part);
      return { endless: Math.max(endless, Number(!isLast && isEndless(node.part))), ways };
    }
    case "repeat":
      return triesOfRepeat(node, isLast);
    case "reference":
      return { endless: Number.POSITIVE_INFINITY, ways: 1 };
  }
}

function triesOfRepeat(node: PatternNode & { kind: "repeat" }, isLast: boolean): Tries {
  const { part, min, max, mode } = node;
  if (max === 1) {
    const { endless, ways } = triesOf(part, isLast);
    return { endless, ways: mode === "possessive" ? ways : ways + 1 };
  }
  if (!isFixed(part)) return { endless: Number.POSITIVE_INFINITY, ways: 1 };
  if (isLast && mode !== "lazy" && part.kind === "set" && min <= SHORT) return ONE_WAY;
  return max > SHORT ? { endless: 1, ways: 1 } : { endless: 0, ways: mode === "possessive" ? 1 : max - min + 1 };
}

/** Whether it may look at all that follows. */
function isEndless(node: PatternNode): boolean {
  switch (node.kind) {
    case "repeat":
      return node.max > SHORT || isEndless(node.part);
    case "sequence":
    case "choice":
      return node.parts.some(isEndless);
    case "look":
    case "atomic":
    case "group":
      return isEndless(node.part);
    default:
      return false;
  }
}

function alwaysMatches(node: PatternNode): boolean {
  switch (node.kind) {
    case "repeat":
      return node.min === 0 || alwaysMatches(node.part);
    case "sequence":
      return node.parts.every(alwaysMatches);
    case "choice":
      return node.parts.some(alwaysMatches);
    case "atomic":
    case "group":
      return alwaysMatches(node.part);
    default:
      return false;
  }
}

/** Whether it matches in one way only: sets in a row, each a fixed number of times. */
function isFixed(node: PatternNode): boolean {
  if (node.kind === "set") return true;
  if (node.kind === "sequence") return node.parts.every(isFixed);
  return node.kind === "repeat" && node.min === node.max && node.max <= 100 && isFixed(node.part);
}

/** Only for patterns without references to groups. */
export function toRegExp(node: PatternNode, flags: "gv" | "yv"): RegExp {
  return new RegExp(write(node, { groups: 0 }), flags);
}

function write(node: PatternNode, counter: { groups: number }): string {
  switch (node.kind) {
    case "set":
      return node.source;
    case "edge":
      return node.atStart ? "^" : "$";
    case "sequence":
      return node.parts.map((part) => write(part, counter)).join("");
    case "choice":
      return `(?:${node.parts.map((part) => write(part, counter)).join("|")})`;
    case "look":
      return `(?${node.ahead ? "" : "<"}${node.negative ? "!" : "="}${write(node.part, counter)})`;
    case "atomic":
      return writeAtomic(node.part, counter);
    case "repeat":
      return writeRepeat(node, counter);
    case "group":
      return `(?:${write(node.part, counter)})`;
    case "reference":
      throw new RangeError("a reference to a group is matched by programs only");
  }
}

/** What a look ahead has found is not looked for another way; a back reference then takes it. */
function writeAtomic(part: PatternNode, counter: { groups: number }): string {
  const group = ++counter.groups;
  return `(?:(?=(${write(part, counter)}))\\${group})`;
}

function writeRepeat(node: PatternNode & { kind: "repeat" }, counter: { groups: number }): string {
  const { part, min, max, mode } = node;
  const suffix =
    max === Infinity
      ? min === 0
        ? "*"
        : min === 1
          ? "+"
          : `{${min},}`
      : min === 0 && max === 1
        ? "?"
        : `{${min},${max}}`;
  if (mode !== "possessive") {
    const body = part.kind === "set" ? part.source : `(?:${write(part, counter)})`;
    return body + suffix + (mode === "lazy" ? "?" : "");
  }
  if (part.kind !== "set") return writeAtomic({ ...node, mode: "greedy" }, counter);
  if (max === 1) return `(?:${part.source}|(?!${part.source}))`;
  return `${part.source}${suffix}(?!${part.source})`; // giving some back would leave one to come next
}
