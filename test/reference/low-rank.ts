import type { Reference } from "../kernels/bed.ts";

type Numbers = ArrayLike<number>;

/** t [m, r] in f64; x has ldx numbers a row, a is [r, lda ≥ k] (layout 1) or [k, lda ≥ r] (layout 0). */
export function lowRank(
  x: Numbers,
  a: Numbers,
  { m, k, r, ldx, lda, layout }: { m: number; k: number; r: number; ldx: number; lda: number; layout: number },
): Reference {
  return grid(m, r, 0, (i, j) =>
    Array.from({ length: k }, (_, p) => x[i * ldx + p]! * a[layout ? j * lda + p : p * lda + j]!),
  );
}

/** da before + scale·uᵀ·x [r, k] (layout 1) or scale·xᵀ·u [k, r] (layout 0) in f64. */
export function lowRankDa(
  da: Numbers,
  u: Numbers,
  x: Numbers,
  s: { m: number; k: number; r: number; scale: number; layout: number; ldu: number; ldx: number },
): Reference {
  const [rows, cols] = s.layout ? [s.r, s.k] : [s.k, s.r];
  return grid(rows, cols, da, (row, col) => {
    const [j, p] = s.layout ? [row, col] : [col, row];
    return Array.from({ length: s.m }, (_, i) => s.scale * u[i * s.ldu + j]! * x[i * s.ldx + p]!);
  });
}

function grid(rows: number, cols: number, start: Numbers | 0, terms: (i: number, j: number) => number[]): Reference {
  const all = Array.from({ length: rows * cols }, (_, at) => [
    start ? start[at]! : 0,
    ...terms(Math.floor(at / cols), at % cols),
  ]);
  return {
    values: all.map((t) => t.reduce((sum, v) => sum + v, 0)),
    magnitudes: all.map((t) => t.reduce((sum, v) => sum + Math.abs(v), 0)),
  };
}
