import { expect, test } from "vitest";
import { adapterRate, wholeRate } from "../../../src/nn/tasks/suggested-rate.ts";

test("narrow models get higher rates than wide ones, between two limits", () => {
  const rates = [64, 160, 384, 768, 1536, 4096, 16_384].map((width) => adapterRate(width).value);
  expect(rates).toEqual([3e-3, 3e-3, 2e-3, 1e-3, 5e-4, 2e-4, 1e-4]);
});

test("whole models get a tenth", () => {
  for (const width of [64, 384, 4096]) expect(wholeRate(width).value).toBeCloseTo(adapterRate(width).value / 10, 10);
});
