import type { Reference } from "../kernels/bed.ts";

/** a + alpha·b in f64. */
export function addScaled(a: ArrayLike<number>, b: ArrayLike<number>, alpha: number): Reference {
  const values = Array.from(a, (v, i) => v + alpha * b[i]!);
  return { values, magnitudes: Array.from(a, (v, i) => Math.abs(v) + Math.abs(alpha * b[i]!)) };
}

/** before + a∘b in f64. */
export function addProduct(before: ArrayLike<number>, a: ArrayLike<number>, b: ArrayLike<number>): Reference {
  const terms = Array.from(a, (v, i) => v * b[i]!);
  return {
    values: terms.map((v, i) => before[i]! + v),
    magnitudes: terms.map((v, i) => Math.abs(before[i]!) + Math.abs(v)),
  };
}
