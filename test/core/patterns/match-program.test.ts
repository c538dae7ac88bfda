import { expect, test } from "vitest";
import { FormatError } from "../../../src/core/errors.ts";
import { ProgramMatch, StepBudget } from "../../../src/core/patterns/match-program.ts";
import type { PatternNode } from "../../../src/core/patterns/pattern-tree.ts";
import { programOf } from "../../../src/core/patterns/program.ts";

const letter = (source: string): PatternNode => ({ kind: "set", source: `[${source}]` });
const endless = (part: PatternNode, min = 1): PatternNode => ({
  ...{ kind: "repeat", part, min, max: Number.POSITIVE_INFINITY, mode: "greedy" },
});
const group = (part: PatternNode, index: number): PatternNode => ({ kind: "group", part, index });
const sequence = (...parts: PatternNode[]): PatternNode => ({ kind: "sequence", parts });

test("the time grows with the length of the text, not with the ways through the pattern", () => {
  const program = programOf(sequence(endless(endless(letter("a"))), letter("b")), "pattern");
  const steps = (length: number) => {
    for (let most = 100; ; most *= 2) {
      try {
        new ProgramMatch(program, "a".repeat(length), "pattern", new StepBudget(most)).match(0);
        return most;
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
      }
    }
  };
  expect(steps(4000)).toBeLessThanOrEqual(8 * steps(1000));
});

test("groups hold what they matched last, and references ask for it again", () => {
  const tree = sequence(endless(group(letter("ab"), 1)), letter("\\-"), { kind: "reference", index: 1 });
  const match = (text: string) => new ProgramMatch(programOf(tree, "pattern"), text, "pattern").search(0);
  expect(match("-aab-b")).toEqual(Int32Array.of(1, 6, 3, 4));
  expect(match("aab-a")).toBeNull();
});

test("what failed in one search is not tried again in the next one of the same text", () => {
  const program = programOf(sequence(endless(letter("a")), letter("b")), "pattern");
  const match = new ProgramMatch(
    program,
    `${"a".repeat(2000)}c${"a".repeat(2000)}b`,
    "pattern",
    new StepBudget(100_000),
  );
  expect(match.search(0)?.slice(0, 2)).toEqual(Int32Array.of(2001, 4002));
  expect(match.search(4002)).toBeNull();
});

test("a pattern and a text that are too large together are refused", () => {
  const program = programOf({ ...(endless(letter("a")) as PatternNode & { kind: "repeat" }), max: 5000 }, "pattern");
  expect(() => new ProgramMatch(program, "a".repeat(300_000), "pattern")).toThrow("pattern has 5000 forks");
});
