import type { Reference } from "../kernels/bed.ts";

/** x·diag(c) for x [rows, c.length], added to `before`. */
export function scaleColumns(before: ArrayLike<number>, x: ArrayLike<number>, c: ArrayLike<number>): Reference {
  const terms = Array.from(x, (v, e) => v * c[e % c.length]!);
  return {
    values: terms.map((v, e) => before[e]! + v),
    magnitudes: terms.map((v, e) => Math.abs(before[e]!) + Math.abs(v)),
  };
}

/** The gradient of `scaleColumns` with respect to c, Σ_rows dy∘x, added to `before`. */
export function scaleColumnsDc(before: ArrayLike<number>, dy: ArrayLike<number>, x: ArrayLike<number>): Reference {
  const values = Array.from(before);
  const magnitudes = values.map(Math.abs);
  for (let e = 0; e < x.length; e++) {
    values[e % before.length]! += dy[e]! * x[e]!;
    magnitudes[e % before.length]! += Math.abs(dy[e]! * x[e]!);
  }
  return { values, magnitudes };
}

/** y + b on each row. */
export function addColumns(y: ArrayLike<number>, b: ArrayLike<number>): Reference {
  const other = Array.from(y, (_, e) => b[e % b.length]!);
  return {
    values: other.map((v, e) => y[e]! + v),
    magnitudes: other.map((v, e) => Math.abs(y[e]!) + Math.abs(v)),
  };
}
