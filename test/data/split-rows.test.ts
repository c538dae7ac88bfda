import { expect, test } from "vitest";
import type { Row } from "../../src/data/known-tasks.ts";
import { splitRows } from "../../src/data/split-rows.ts";

const rows = (labels: readonly (string | number | undefined)[]): Row[] =>
  labels.map((label, i) => ({ line: i + 1, kind: "text", text: String(i), ...(label !== undefined && { label }) }));
const lines = (part: readonly Row[]) => part.map(({ line }) => line);

test("every row is in one part, in its order, and the seed alone decides which", () => {
  const all = rows(Array(50).fill(undefined));
  const { train, valid } = splitRows(all, 0.1, 7);
  expect(valid).toHaveLength(5);
  expect([...lines(train), ...lines(valid)].sort((a, b) => a - b)).toEqual(lines(all));
  expect(lines(train)).toEqual([...lines(train)].sort((a, b) => a - b));
  expect(splitRows(all, 0.1, 7)).toEqual({ train, valid });
  expect(lines(splitRows(all, 0.1, 8).valid)).not.toEqual(lines(valid));
});

test("classes are held out by their shares", () => {
  const all = rows([...Array(60).fill("a"), ...Array(30).fill("b"), ...Array(10).fill("c")]);
  const { valid } = splitRows(all, 0.2, 42);
  const count = (label: string) => valid.filter((row) => "label" in row && row.label === label).length;
  expect([count("a"), count("b"), count("c")]).toEqual([12, 6, 2]);
  const rare = splitRows(rows([...Array(17).fill(0), 1, 1, 1]), 0.25, 1).valid;
  expect(rare).toHaveLength(5);
  expect(rare.filter((row) => "label" in row && row.label === 1).length).toBe(1);
});

test("both parts have a row, and one row cannot be divided", () => {
  expect(splitRows(rows(["a", "b"]), 0.01, 1).valid).toHaveLength(1);
  expect(splitRows(rows(["a", "b"]), 0.99, 1).train).toHaveLength(1);
  expect(() => splitRows(rows(["a"]), 0.5, 1)).toThrow(/needs at least 2 rows, there is 1/);
});
