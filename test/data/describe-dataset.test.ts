import { expect, test } from "vitest";
import { describeDataset } from "../../src/data/describe-dataset.ts";

const example = (length: number, labels: Int32Array | Float32Array, uncut?: number) => ({
  inputIds: new Int32Array(length),
  labels,
  ...(uncut !== undefined && { uncut }),
});

test("lengths, cut rows and the share that is learned are counted", () => {
  const labels = (...ids: number[]) => Int32Array.from(ids);
  const rows = [example(4, labels(1, -100, 2, 3), 9), example(1, labels(5)), example(2, labels(5, 5))];
  expect(describeDataset(rows, "CAUSAL_LM", null)).toEqual({
    examples: 3,
    tokens: { min: 1, median: 2, max: 4, total: 7 },
    cut: 1,
    learned: 3,
    classes: null,
  });
});

test("classes are counted by their names, also where several hold or words have them", () => {
  const names = ["a", "b", "c"];
  const counts = (task: "SEQ_CLS" | "TOKEN_CLS", ...labels: (Int32Array | Float32Array)[]) =>
    describeDataset(
      labels.map((each) => example(3, each)),
      task,
      names,
    ).classes;
  expect([...counts("SEQ_CLS", Int32Array.of(2), Int32Array.of(0), Int32Array.of(2))!]).toEqual([
    ["a", 1],
    ["b", 0],
    ["c", 2],
  ]);
  expect([...counts("SEQ_CLS", Float32Array.of(1, 1, 0))!.values()]).toEqual([1, 1, 0]);
  expect([...counts("TOKEN_CLS", Int32Array.of(-100, 1, 1))!.values()]).toEqual([0, 2, 0]);
  expect(counts("SEQ_CLS", Float32Array.of(0.5, 1, 0))).toBe(null);
});
