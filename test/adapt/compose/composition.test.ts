import { expect, test } from "vitest";
import {
  average,
  batchSplit,
  copiesIn,
  expectNestable,
  fuse,
  fusionName,
  lastOf,
  namesIn,
  parallel,
  split,
  stack,
} from "../../../src/adapt/compose/composition.ts";
import { UnsupportedError } from "../../../src/core/errors.ts";

test("names are in order, each once", () => {
  expect(namesIn(stack("c", fuse("a", "b"), "c"))).toEqual(["c", "a", "b"]);
  expect(namesIn("a")).toEqual(["a"]);
});

test("a fusion is called by the adapters that act last in what it mixes", () => {
  expect(fusionName(["a", stack("b", "c")])).toBe("a,c");
  expect(lastOf(stack("a", split(["b", "d"], [1, 2])))).toBe("d");
});

test("weights of an average are shares", () => {
  expect(average(["a", "b"], [1, 3])).toMatchObject({ weights: [0.25, 0.75] });
  expect(average(["a", "b"])).toMatchObject({ weights: [0.5, 0.5] });
});

test("sizes are whole numbers, one for each adapter", () => {
  for (const sizes of [[1], [1, 0], [1, 1.5], [1, 2, 3]]) {
    expect(() => split(["a", "b"], sizes)).toThrow(`split: sizes ${JSON.stringify(sizes)}, expected 2 whole numbers`);
    expect(() => batchSplit(["a", "b"], sizes)).toThrow("batchSplit: sizes");
  }
});

test("a batch is run once for each adapter of a parallel block", () => {
  expect(copiesIn("a")).toBe(1);
  expect(copiesIn(stack("a", "b"))).toBe(1);
  expect(copiesIn(stack(parallel("a", "b", "c"), parallel("d", "e", "f")))).toBe(3);
  expect(() => copiesIn(stack(parallel("a", "b"), parallel("d", "e", "f")))).toThrow("2 and 3 adapters");
});

test("blocks nest as AdapterHub allows", () => {
  expect(() => expectNestable(stack("a", fuse(stack("b", "c"), "d"), parallel("e", stack("f"))))).not.toThrow();
  expect(() => expectNestable(fuse("a", parallel("b", "c")))).toThrow(UnsupportedError);
  expect(() => expectNestable(stack(stack("a", "b"), "c"))).toThrow(
    "Stack is inside Stack, which can only contain adapter names, Fuse, Split",
  );
});
