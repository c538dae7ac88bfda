import { expect, test } from "vitest";
import { classCounts, expectTrainedClasses } from "../../src/data/classes.ts";

const names = ["complaint", "praise", "prais"];
const rows = (file: string, ...labels: number[]) =>
  labels.map((label, i) => ({ labels: Int32Array.of(label), where: `${file}:${i + 1}` }));

test("classes are counted by example, by word and by mark; values are none", () => {
  expect([...classCounts(rows("t", 0, 1, 1), names)!.values()]).toEqual([1, 2, 0]);
  expect([...classCounts([{ labels: Int32Array.of(0, -100, 2, 2) }], names)!.values()]).toEqual([1, 0, 2]);
  expect([...classCounts([{ labels: Float32Array.of(1, 0, 1) }], names)!.values()]).toEqual([1, 0, 1]);
  expect(classCounts([{ labels: Float32Array.of(0.5) }], ["value"])).toBeNull();
});

test("a class that training lacks is an error with its rows and the names that are near", () => {
  expect(() => expectTrainedClasses(rows("t.jsonl", 0, 1), rows("v.jsonl", 0, 2, 1, 2), names, "valid")).toThrow(
    'valid has classes that the training data lacks (1 problem)\n  class "prais" in v.jsonl:2, v.jsonl:4. Did you mean "praise"?',
  );
  expect(() => expectTrainedClasses(rows("t", 0, 1), rows("v", 1), names, "valid")).not.toThrow();
  const marks = [{ labels: Float32Array.of(0, 0, 1) }];
  expect(() => expectTrainedClasses([{ labels: Float32Array.of(1, 1, 0) }], marks, names, "valid")).toThrow(
    "example 0",
  );
  const values = [{ labels: Float32Array.of(2.5) }];
  expect(() => expectTrainedClasses(values, values, ["value"], "valid")).not.toThrow();
});
