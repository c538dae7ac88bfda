import { expect, test } from "vitest";
import { ShapeError } from "../../src/core/errors.ts";
import { expectLast, expectShape, sameShape, sizeOf } from "../../src/core/shape.ts";

test("a scalar has one element, and an axis of zero leaves none", () => {
  expect([sizeOf([]), sizeOf([2, 3, 4]), sizeOf([5, 0])]).toEqual([1, 24, 0]);
});

test("shapes are the same when every axis is", () => {
  expect([sameShape([2, 3], [2, 3]), sameShape([2, 3], [3, 2]), sameShape([2], [2, 1]), sameShape([], [])]).toEqual([
    true,
    false,
    false,
    true,
  ]);
});

test("a last axis that does not fit is told with both sizes and the reason", () => {
  expect(() => expectLast('input of "h.3"', [7, 512], 768, 'the width of "h.3.weight"')).toThrow(
    new ShapeError('input of "h.3": last axis of [7, 512] must be 768, the width of "h.3.weight"'),
  );
  expectLast("x", [7, 768], 768, "");
});

test("a shape that does not fit is told with both shapes and the reason", () => {
  expect(() => expectShape('"lora_A"', [8, 2], [4, 2], "r is 4")).toThrow(
    new ShapeError('"lora_A": shape [8, 2] must be [4, 2], r is 4'),
  );
  expectShape("x", [4, 2], [4, 2], "");
});
