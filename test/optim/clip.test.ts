import { expect, test } from "vitest";
import { clipGradNorm, clipScale, gradientNorm } from "../../src/optim/clip.ts";
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

test("clipGradNorm scales gradients in place to the limit, and returns the norm before", () => {
  const [a, b] = [param("a", [3]), param("b", [2, 2])];
  const reset = () => {
    a.gradient().set([1, -2, 2]);
    b.gradient().set([4, 0, 0, -12]);
  };
  reset();
  expect(clipGradNorm(engine, new Set([a, b]).values(), 1)).toBe(13);
  expect(gradientNorm(engine, [a, b])).toBeCloseTo(1, 6);
  expect(b.gradient()[3]).toBeCloseTo(-12 / 13, 6);
  reset();
  for (const limit of [0, 20]) expect(clipGradNorm(engine, [a, b], limit)).toBe(13);
  expect(Array.from(a.gradient())).toEqual([1, -2, 2]);
});

test("clipGradNorm refuses gradients that are not finite, and leaves them as they are", () => {
  const a = param("a", [2]);
  a.gradient().set([Number.NaN, 2]);
  expect(() => clipGradNorm(engine, [a], 1)).toThrow("the norm of the gradients is NaN, expected a finite number");
  expect(Array.from(a.gradient())).toEqual([Number.NaN, 2]);
});
