import { expect, test } from "vitest";
import { shiftRight } from "../../../src/nn/pass/shift-right.ts";

test("each sequence begins with the first id and loses its last", () => {
  expect(shiftRight([5, 6, 7, 8, 9], Int32Array.of(0, 3, 5), 1)).toEqual(Int32Array.of(1, 5, 6, 1, 8));
});

test("a sequence of one is the first id, and an empty one stays empty", () => {
  expect(shiftRight([5, 6], Int32Array.of(0, 1, 1, 2), 0)).toEqual(Int32Array.of(0, 0));
});
