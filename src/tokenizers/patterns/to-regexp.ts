/** Patterns as regular expressions of the engine, for those that it matches in reasonable time. */
import type { PatternNode } from "./pattern-tree.ts";

/** Sets in a row that repeat without end may share characters, so that many ways to share them are tried. */
const MAX_ENDLESS = 2;

/**
 * Whether matching takes at most a time that grows with the square of a match's length: only single characters repeat
 * without end, or what has one length, and not too many of them in a row.
 */
export function isTame(node: PatternNode): boolean {
  return endless(node) <= MAX_ENDLESS;
}

/** How many repetitions without end one way through the pattern has; Infinity if one holds choices. */
function endless(node: PatternNode): number {
  switch (node.kind) {
    case "set":
    case "edge":
      return 0;
    case "sequence":
      return node.parts.reduce((sum, part) => sum + endless(part), 0);
    case "choice":
      return Math.max(...node.parts.map(endless));
    case "look":
    case "atomic":
      return endless(node.part);
    case "repeat":
      if (node.part.kind === "set") return node.max > 1000 ? 1 : 0;
      if (node.max === 1) return endless(node.part);
      return isFixed(node.part) ? (node.max > 1000 ? 1 : 0) : Infinity;
  }
}

/** Whether it matches in one way only: sets in a row, each a fixed number of times. */
function isFixed(node: PatternNode): boolean {
  if (node.kind === "set") return true;
  if (node.kind === "sequence") return node.parts.every(isFixed);
  return node.kind === "repeat" && node.min === node.max && node.max <= 100 && isFixed(node.part);
}

export function toRegExp(node: PatternNode): RegExp {
  return new RegExp(write(node, { groups: 0 }), "gv");
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
