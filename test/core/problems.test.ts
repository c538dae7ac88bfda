import { expect, test } from "vitest";
import { listProblems } from "../../src/core/problems.ts";

test("one problem is one, and each has a line of its own", () => {
  expect(listProblems("x does not fit", ["a"])).toBe("x does not fit (1 problem)\n  a");
  expect(listProblems("x does not fit", ["a", "b"])).toBe("x does not fit (2 problems)\n  a\n  b");
});

test("of many problems the first are listed and the rest counted", () => {
  const many = Array.from({ length: 23 }, (_, i) => `p${i}`);
  const lines = listProblems("x", many).split("\n");
  expect(lines).toHaveLength(1 + 20 + 1);
  expect(lines[0]).toBe("x (23 problems)");
  expect(lines.at(-2)).toBe("  p19");
  expect(lines.at(-1)).toBe("  and 3 more");
  expect(listProblems("x", many.slice(0, 20))).not.toContain("more");
  expect(listProblems("x", ["a", "b"], 1)).toBe("x (2 problems)\n  a\n  and 1 more");
});
