import { expect } from "vitest";

/**
 * Fails unless `gradient` is that of Σ dy·f(x) with respect to x, by central differences in f64. Their own error is about
 * h² ≈ 1e-10 from the third derivative and 1e-16 / h ≈ 1e-11 from rounding, times the size of the values.
 */
export function expectGradient(
  f: (x: number[]) => ArrayLike<number>,
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  gradient: ArrayLike<number>,
): void {
  const h = 1e-5;
  const at = Array.from(x);
  const weighted = () => Array.from(f(at)).reduce((sum, y, i) => sum + y * dy[i]!, 0);
  expect(gradient.length).toBe(at.length);
  for (let i = 0; i < at.length; i++) {
    const value = at[i]!;
    at[i] = value + h;
    const above = weighted();
    at[i] = value - h;
    const slope = (above - weighted()) / (2 * h);
    at[i] = value;
    if (!(Math.abs(slope - gradient[i]!) <= 1e-7 * (1 + Math.abs(slope)))) {
      expect.fail(`gradient [${i}] is ${gradient[i]}, differences give ${slope}`);
    }
  }
}

/** `count` numbers between -1 and 1 without a pattern, the same on every run. */
export function numbers(count: number, seed = 1): number[] {
  return Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed));
}
