import { expect, test } from "vitest";
import { ShapeError } from "../../src/core/errors.ts";
import { columnsOf, expectSame, rowsOf } from "../../src/ops/checks.ts";

test("shapes that differ are refused, and both are named", () => {
  expect(() => expectSame("the terms", [2, 3], [2, 3])).not.toThrow();
  expect(() => expectSame("the terms", [2, 3], [3, 2])).toThrow(ShapeError);
  expect(() => expectSame("the terms", [2, 3], [2])).toThrow(
    "the terms must have the same shape, found [2, 3] and [2]",
  );
});

test("rows are tokens and columns are features", () => {
  expect([rowsOf([5, 7]), columnsOf([5, 7])]).toEqual([5, 7]);
});
