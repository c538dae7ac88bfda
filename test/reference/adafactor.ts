import type { Reference } from "../kernels/bed.ts";

/** A matrix by rows. */
type Matrix = readonly number[][];

const mean = (numbers: readonly number[]) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const transposed = (a: Matrix): number[][] => a[0]!.map((_, j) => a.map((row) => row[j]!));

/** β₂·old + (1 − β₂)·(mean of the squares of each row + ε): for columns, of the transposed gradient. */
export function secondMoments(old: ArrayLike<number>, g: Matrix, beta2: number, eps: number): Reference {
  const values = g.map((row, i) => beta2 * old[i]! + (1 - beta2) * (mean(row.map((x) => x * x)) + eps));
  return { values, magnitudes: values };
}
export function columnMoments(old: ArrayLike<number>, g: Matrix, beta2: number, eps: number): Reference {
  return secondMoments(old, transposed(g), beta2, eps);
}

/** u = g / √(row / mean(row)) / √col. */
export function update(g: Matrix, row: ArrayLike<number>, col: ArrayLike<number>): number[][] {
  const average = mean(Array.from(row));
  return g.map((line, i) => line.map((x, j) => x / Math.sqrt(row[i]! / average) / Math.sqrt(col[j]!)));
}

/** The new parameter and first moment; `f` null is none. */
export function moved(
  p: Matrix,
  u: Matrix,
  f: Matrix | null,
  { lr, beta1, keep }: { lr: number; beta1: number; keep: number },
): { p: Reference; f: Reference } {
  const step = u.map((line, i) => line.map((x, j) => (f === null ? lr * x : beta1 * f[i]![j]! + (1 - beta1) * lr * x)));
  const sizes = u.flatMap((line, i) => line.map((x, j) => Math.abs(lr * x) + Math.abs(f?.[i]?.[j] ?? 0)));
  return {
    p: {
      values: p.flatMap((line, i) => line.map((x, j) => x * keep - step[i]![j]!)),
      magnitudes: p.flat().map((x, i) => Math.abs(x) + sizes[i]!),
    },
    f: { values: step.flat(), magnitudes: sizes },
  };
}
