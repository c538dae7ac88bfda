import { expect, test } from "vitest";
import { FormatError, ShapeError } from "../../../src/core/errors.ts";
import {
  concatenate,
  concatenateInputs,
  concatenateLabelled,
  expectIds,
  expectSequences,
  type Sequences,
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

test.each<[string, object, string]>([
  ["ids of another type", { ids: Uint8Array.of(1, 2) }, '"ids" has type Uint8Array, expected an Int32Array'],
  ["ids of bigints", { ids: BigInt64Array.of(1n, 2n) }, '"ids" has type BigInt64Array, expected an Int32Array'],
  ["ids in a list", { ids: [1, 2] }, '"ids" has type Array, expected an Int32Array; concatenate makes them'],
  ["no ids", { ids: undefined }, '"ids" has type Undefined'],
  ["no starts", { starts: undefined }, '"starts" has type Undefined'],
  ["starts beyond the ids", { starts: Int32Array.of(0, 5) }, '"starts" is 0,5, expected numbers that rise from 0 to 2'],
  ["starts that leave ids out", { starts: Int32Array.of(0, 1) }, '"starts" is 0,1'],
  ["starts behind the first id", { starts: Int32Array.of(1, 2) }, '"starts" is 1,2'],
  ["starts that fall", { starts: Int32Array.of(0, 3, 1, 2) }, '"starts" is 0,3,1,2'],
  ["no sequence", { ids: new Int32Array(), starts: Int32Array.of(0) }, '"starts" is 0,'],
  ["too few token types", { tokenTypes: Int32Array.of(0) }, "1 token types for 2 ids"],
  ["too many task ids", { taskIds: Int32Array.of(0, 1) }, "2 task ids for 1 sequences"],
])("%s: refused by name", (_, changes, message) => {
  const sequences = { ids: Int32Array.of(1, 2), starts: Int32Array.of(0, 2), ...changes };
  expect(() => expectSequences(sequences as Sequences)).toThrow(message);
});

test("labels are whole numbers, or finite fractions", () => {
  const labelsOf = (labels: unknown) => concatenateLabelled([{ inputIds: [1, 2], labels: labels as number[] }]).labels;
  expect(labelsOf([1, 2.5])).toEqual(Float32Array.of(1, 2.5));
  expect(labelsOf(BigInt64Array.of(-100n, 3n))).toEqual(Int32Array.of(-100, 3));
  for (const odd of [
    [1, Number.NaN],
    [1, "2"],
    [1, null],
    [1, 2 ** 32],
    [0.5, Number.POSITIVE_INFINITY],
    "12",
    undefined,
  ])
    expect(() => labelsOf(odd)).toThrow(FormatError);
  const batch = concatenateLabelled([{ inputIds: [1, 2, 3], labels: [1, 2.5, 1] }]);
  expect(() => targetsOf(batch)).toThrow("labels: 2.5 at position 0, expected a whole number");
});

test("a mask holds zeros and ones for each id", () => {
  expect(() => stripPadding([[1, 2]], [[1, 2]])).toThrow("attention mask of row 0: 2, expected zeros and ones");
  expect(() => stripPadding([[1, 2]], [[1, Number.NaN]])).toThrow("attention mask of row 0: NaN at position 1");
  expect(() => stripPadding([[1, 2]], [])).toThrow("attention mask of row 0 has 0 entries, expected 2");
  expect(stripPadding([BigInt64Array.of(5n, 0n)], [BigInt64Array.of(1n, 0n)]).ids).toEqual(Int32Array.of(5));
});
