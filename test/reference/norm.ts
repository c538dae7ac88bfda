import type { Reference } from "../kernels/bed.ts";

/** Σ x² for start ≤ i < end, in f64: as exact as the kernel, which sums in another order. */
export function sumSquares(x: ArrayLike<number>, start: number, end: number): Reference {
  let sum = 0;
  for (let i = start; i < end; i++) sum += x[i]! ** 2;
  return { values: [sum], magnitudes: [sum] };
}
