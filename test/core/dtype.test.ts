import { expect, test } from "vitest";
import { dtypeBytes, dtypes, isDtype } from "../../src/core/dtype.ts";

test("a name says how many bits an element has", () => {
  for (const name of dtypes) {
    const bits = name === "BOOL" ? 8 : Number(/\d+/.exec(name)![0]);
    expect(dtypeBytes[name], name).toBe(bits / 8);
  }
});

test("the order is that of alignment, smallest first: later types come first in a file", () => {
  const sizes = dtypes.map((name) => dtypeBytes[name]);
  expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
});

test("only names of the table are dtypes, exactly as they are written", () => {
  expect(dtypes.every(isDtype)).toBe(true);
  for (const other of ["f32", "F32 ", "constructor", "__proto__", "", 4, null, undefined])
    expect(isDtype(other)).toBe(false);
});
