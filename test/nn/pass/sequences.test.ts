import { expect, test } from "vitest";
import { FormatError, ShapeError } from "../../../src/core/errors.ts";
import {
  concatenate,
  concatenateInputs,
  concatenateLabelled,
  expectIds,
  stripPadding,
  targetsOf,
} from "../../../src/nn/pass/sequences.ts";

test("sequences lie end to end, empty ones included", () => {
  expect(concatenate([[1, 2], [], [3]])).toEqual({ ids: Int32Array.of(1, 2, 3), starts: Int32Array.of(0, 2, 2, 3) });
});

test("padding is taken off wherever it stands", () => {
  const rows = [
    [1, 2, 0],
    [0, 3, 4],
  ];
  const mask = [
    [1, 1, 0],
    [0, 1, 1],
  ];
  expect(stripPadding(rows, mask)).toEqual(
    concatenate([
      [1, 2],
      [3, 4],
    ]),
  );
  expect(() => stripPadding(rows, [[1, 1, 0]])).toThrow(ShapeError);
  expect(() => stripPadding([[1]], [[1, 1]])).toThrow("attention mask of row 0 has 2 entries, expected 1");
});

test("token types are 0 where an example has none, and left out where none has", () => {
  const examples = [{ inputIds: [1, 2], tokenTypes: [0, 1] }, { inputIds: [3] }];
  expect(concatenateInputs(examples).tokenTypes).toEqual(Int32Array.of(0, 1, 0));
  expect(concatenateInputs([{ inputIds: [3] }])).not.toHaveProperty("tokenTypes");
});

test("labels are whole numbers unless one is not", () => {
  expect(concatenateLabelled([{ inputIds: [1], labels: [2] }]).labels).toEqual(Int32Array.of(2));
  const values = concatenateLabelled([
    { inputIds: [1], labels: [2] },
    { inputIds: [1], labels: [0.5] },
  ]);
  expect(values.labels).toEqual(Float32Array.of(2, 0.5));
});

test("the first of a sequence has nothing before it to predict it, unless virtual rows stand there", () => {
  const batch = concatenateLabelled([
    { inputIds: [1, 2, 3], labels: [1, -100, 3] },
    { inputIds: [4, 5], labels: [4, 5] },
  ]);
  expect(targetsOf(batch)).toEqual({ rows: Int32Array.of(1, 3), targets: Int32Array.of(3, 5) });
  // Two virtual rows before the second sequence alone: rows 3 and 4, then its own 5 and 6.
  expect(targetsOf(batch, (s) => (s === 1 ? 2 : 0))).toEqual({
    rows: Int32Array.of(1, 4, 5),
    targets: Int32Array.of(3, 4, 5),
  });
});

test("as many labels as ids, sequence by sequence", () => {
  const batch = concatenateLabelled([
    { inputIds: [1, 2], labels: [1] },
    { inputIds: [3], labels: [3, 4] },
  ]);
  expect(() => targetsOf(batch)).toThrow("sequence 0: 1 labels for 2 ids");
});

test("an id outside the vocabulary is named with its place", () => {
  expect(() => expectIds("inputIds", Int32Array.of(0, 9), 10)).not.toThrow();
  expect(() => expectIds("inputIds", Int32Array.of(0, 10), 10)).toThrow(FormatError);
  expect(() => expectIds("inputIds", Int32Array.of(0, -1), 10)).toThrow("id -1 at position 1 must be from 0 to 9");
});
