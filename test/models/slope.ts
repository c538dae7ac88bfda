import { expect } from "vitest";
import type { Param } from "../../src/tensor/tensor.ts";

/** The slope of the loss along a parameter's own gradient is the gradient's length, and is not zero. */
export function expectSlopeAlong(param: Param, loss: () => number): void {
  const gradient = param.gradient().slice();
  const length = Math.hypot(...gradient);
  expect(length, `the gradient of ${param.name}`).toBeGreaterThan(1e-5);
  const start = param.values().slice();
  const h = 2 ** -8; // small, for norms of small rows bend much
  const at = (step: number) => {
    param.values().set(start.map((v, i) => v + (step * gradient[i]!) / length));
    return loss();
  };
  const slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
  param.values().set(start);
  expect(Math.abs(slope - length), `${param.name}: slope ${slope}, gradient ${length}`).toBeLessThan(
    1e-4 + 2e-3 * length,
  );
}
