import { expect, test } from "vitest";
import { FormatError } from "../../src/core/errors.ts";
import { wholeNumbers } from "../../src/core/whole-numbers.ts";

test("lists of any width are read, those of bigints too", () => {
  const expected = Int32Array.of(1, 2);
  const lists = [[1, 2], [1n, 2n], Uint8Array.of(1, 2), BigInt64Array.of(1n, 2n), Float64Array.of(1, 2), expected];
  for (const list of lists) expect(wholeNumbers("ids", list as number[])).toEqual(expected);
});

test.each([
  [4294967301, "4294967301"],
  [4294967301n, "4294967301n"],
  [2 ** 31, "2147483648"],
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  [null, "null"],
  [undefined, "undefined"],
  ["2", '"2"'],
  [1.9, "1.9"],
  [true, "true"],
  [[1], "[1]"],
])("%s is refused, not made another number", (value, shown) => {
  expect(() => wholeNumbers("ids", [0, value as number])).toThrow(FormatError);
  expect(() => wholeNumbers("ids", [0, value as number])).toThrow(
    `ids: ${shown} at position 1, expected a whole number`,
  );
});

test("a hole is refused, and so is what is no list", () => {
  const holed = [0, 1, 2];
  delete holed[1];
  expect(() => wholeNumbers("ids", holed)).toThrow("ids: undefined at position 1");
  for (const value of ["12", null, undefined, {}, 3, { length: 2 }, new DataView(new ArrayBuffer(8))])
    expect(() => wholeNumbers("ids", value as never)).toThrow(
      /^ids: found (null|a value of type \w+), expected a list$/,
    );
});
