import type { Reference } from "../kernels/bed.ts";

/** out before + the sum of x's rows, in f64. */
export function columnSum(out: ArrayLike<number>, x: ArrayLike<number>, rows: number, ldx: number): Reference {
  const columns = Array.from(out, (start, j) => [start, ...Array.from({ length: rows }, (_, i) => x[i * ldx + j]!)]);
  return {
    values: columns.map((c) => c.reduce((sum, v) => sum + v, 0)),
    magnitudes: columns.map((c) => c.reduce((sum, v) => sum + Math.abs(v), 0)),
  };
}
