/** What stands beside tokens or in their place is laid end to end, taken apart and checked like tokens, whatever its kind. */
import { expect, test } from "vitest";
import { FormatError } from "../../../src/core/errors.ts";
import { inputProblem } from "../../../src/nn/pass/example-problems.ts";
import { type InputKind, joinInputs, repeatInputs, rowStarts, valuesOf } from "../../../src/nn/pass/inputs.ts";
import { pixelInput, pixels } from "../../../src/nn/pass/pixels.ts";
import { concatenateInputs } from "../../../src/nn/pass/sequences.ts";

/** Frames of two numbers in the place of tokens, two frames a row. */
const frames: InputKind = {
  kind: "frames",
  shape: null,
  rows: (values) => values.length / 4,
  problem: (values) => (values === undefined || values.length % 4 !== 0 ? "frames come in pairs" : null),
  largest: () => new Float32Array(8),
};
/** Four numbers for each token. */
const boxes: InputKind = {
  kind: "boxes",
  shape: null,
  rows: () => null,
  problem: (values, tokens) => (values?.length === tokens * 4 ? null : `expected ${tokens * 4} numbers`),
  largest: (tokens) => new Int32Array(tokens * 4),
};
const floats = (...values: number[]) => ({ kind: "frames", values: Float32Array.from(values) });

test("inputs of different sizes lie end to end, and each is found again", () => {
  const [joined] = joinInputs([[floats(1, 2, 3, 4)], [floats(5, 6, 7, 8, 9, 10, 11, 12)]]);
  expect(joined).toEqual({
    kind: "frames",
    values: Float32Array.from({ length: 12 }, (_, i) => i + 1),
    starts: Int32Array.of(0, 4, 12),
  });
  expect([...valuesOf(joined!, 1)]).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
  const tokens = Int32Array.of(0, 0, 0);
  expect([...rowStarts([joined!], [frames], tokens)]).toEqual([0, 1, 3]);
  const [twice] = repeatInputs([joined!], 2);
  expect([...twice!.starts]).toEqual([0, 4, 12, 16, 24]);
  expect([...valuesOf(twice!, 3)]).toEqual([...valuesOf(joined!, 1)]);
});

test("inputs beside tokens leave the rows to the tokens, and whole numbers stay whole", () => {
  const { inputs, starts } = concatenateInputs([
    { inputIds: [1, 2], inputs: [{ kind: "boxes", values: Int32Array.from({ length: 8 }, (_, i) => i) }] },
    { inputIds: [3], inputs: [{ kind: "boxes", values: Int32Array.of(1, 2, 3, 4) }] },
  ]);
  expect(inputs![0]!.values).toBeInstanceOf(Int32Array);
  expect(rowStarts(inputs!, [boxes], starts)).toBe(starts);
});

test("an input that is missing, does not fit, or is not taken is an error that names it", () => {
  const starts = Int32Array.of(0, 1);
  const given = (kind: string, count: number) => joinInputs([[{ kind, values: new Float32Array(count) }]]);
  expect(() => rowStarts([], [frames], starts)).toThrow(new FormatError("frames of sequence 0: frames come in pairs"));
  expect(() => rowStarts(given("frames", 3), [frames], starts)).toThrow("frames come in pairs");
  expect(() => rowStarts(given("smells", 3), [], starts)).toThrow(
    '"smells" is given, but the model does not accept it',
  );
  const model = { vocabSize: 5, contextLength: 4, inputKinds: [boxes] };
  const example = { inputIds: [1], labels: [], inputs: [pixelInput(new Float32Array(4))] };
  expect(inputProblem(example, model)).toBe("expected 4 numbers");
  expect(inputProblem(example, { ...model, inputKinds: [] })).toBe(
    '"pixels" is given, but the model does not accept it',
  );
  expect(inputProblem({ inputIds: [9], labels: [] }, { ...model, inputKinds: [] })).toContain("token 9");
  const images = pixels({ channels: 1, height: 2, width: 2, rows: 5 });
  expect(inputProblem({ ...example, inputIds: [] }, { ...model, inputKinds: [images] })).toBeNull();
});
