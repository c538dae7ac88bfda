import { expect, test } from "vitest";
import { countLabelled, IGNORED, numberedLabels } from "../../src/core/labels.ts";

test("labels count unless they are ignored, from a position on", () => {
  expect(countLabelled([IGNORED, 3, IGNORED, 0])).toBe(2);
  expect(countLabelled([5, 3, IGNORED, 0], 1)).toBe(2);
  expect(countLabelled(new Int32Array(0))).toBe(0);
});

test("classes without names have numbers, as in transformers", () => {
  expect(numberedLabels(2)).toEqual(["LABEL_0", "LABEL_1"]);
});
