import { expect, test } from "vitest";
import { trainableLine } from "../../src/adapt/trainable-line.ts";

// What PEFT prints for these counts, before and since it groups digits.
test("counts are plain, and the share as Python prints a float", () => {
  expect(trainableLine(2359296, 1231940608)).toBe(
    "trainable params: 2359296 || all params: 1231940608 || trainable%: 0.19151053100118282",
  );
  expect(trainableLine(5, 5)).toBe("trainable params: 5 || all params: 5 || trainable%: 100.0");
});

test("or grouped by threes, with four places", () => {
  expect(trainableLine(2359296, 1231940608, "grouped")).toBe(
    "trainable params: 2,359,296 || all params: 1,231,940,608 || trainable%: 0.1915",
  );
  expect(trainableLine(999, 1000, "grouped")).toBe("trainable params: 999 || all params: 1,000 || trainable%: 99.9000");
});
