import { expect, test } from "vitest";
import { compareCodePoints } from "../../src/core/code-points.ts";

test("text is ordered by code points, which UTF-16 units would get wrong", () => {
  const words = ["\u{10000}", "\uffff", "b", "ab", "a", "", "\u{10ffff}", "\ue000", "\ud7ff"];
  const byCodePoints = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  expect([...words].sort(compareCodePoints)).toEqual([...words].sort(byCodePoints));
  expect([...words].sort(compareCodePoints)).not.toEqual([...words].sort());
});
