import { expect, test } from "vitest";
import { dynamicLevels, dynamicTable, TABLE_BYTES } from "../../src/optim/dynamic-levels.ts";

test.each([true, false])("there are 256 levels in rising order, 0 and 1 among them (signed: %s)", (signed) => {
  const levels = dynamicLevels(signed);
  expect(levels).toHaveLength(256);
  expect(Array.from(levels)).toEqual(Array.from(levels).sort((a, b) => a - b));
  expect(new Set(levels).size).toBe(256);
  expect(levels).toContain(0);
  expect(levels.at(-1)).toBe(1);
  expect(levels[0]! < 0).toBe(signed);
});

test("each decade has twice the levels of the one below", () => {
  const counts = (signed: boolean) =>
    Array.from(
      { length: 7 },
      (_, d) => dynamicLevels(signed).filter((x) => x > 10 ** (d - 7) && x < 10 ** (d - 6)).length,
    );
  expect(counts(true)).toEqual([1, 2, 4, 8, 16, 32, 64]);
  expect(counts(false)).toEqual([2, 4, 8, 16, 32, 64, 128]);
});

test("the table begins with the levels, and between two of them lies their middle", () => {
  const table = dynamicTable();
  expect(table).toHaveLength(TABLE_BYTES);
  const floats = new Float32Array(table.buffer, 0, 1024);
  expect(floats.slice(0, 256)).toEqual(dynamicLevels(true));
  expect(floats.slice(256, 512)).toEqual(dynamicLevels(false));
  const rising = dynamicLevels(false);
  expect(floats[768]).toBeCloseTo((rising[0]! + rising[1]!) / 2, 12);
  expect(floats[768 + 255]).toBe(Number.POSITIVE_INFINITY);
});
