import { expect, test } from "vitest";
import { clipScale, gradientNorm } from "../../src/optim/clip.ts";
import { engine, param } from "./golden.ts";

test("the norm is over all parameters at once", () => {
  const [a, b] = [param("a", [3]), param("b", [2, 2])];
  a.gradient().set([1, -2, 2]);
  b.gradient().set([4, 0, 0, -12]);
  expect(gradientNorm(engine, [a, b])).toBe(13);
  expect(gradientNorm(engine, [])).toBe(0);
});

test("gradients come down to the limit and are never raised to it", () => {
  expect(clipScale(4, 1)).toBeCloseTo(0.25, 6);
  expect(clipScale(0.5, 1)).toBe(1);
  expect(clipScale(0, 1)).toBe(1);
  expect(clipScale(4, 0)).toBe(1);
});
