import type { Reference } from "../kernels/bed.ts";

/** Mean and 1 / √(variance + eps) of each row of x [rows, width], in f64. */
export function moments(x: ArrayLike<number>, width: number, eps: number): { mean: Reference; inv: Reference } {
  const rows = Array.from({ length: x.length / width }, (_, i) => Array.from(x).slice(i * width, (i + 1) * width));
  const sum = (row: number[]) => row.reduce((a, b) => a + b, 0);
  const mean = rows.map((row) => sum(row) / width);
  const inv = rows.map((row, i) => 1 / Math.sqrt(sum(row.map((v) => (v - mean[i]!) ** 2)) / width + eps));
  // The f32 mean is off by 2⁻²⁴ of mean|x|, and each difference from it as much.
  const size = rows.map((row) => sum(row.map(Math.abs)) / width);
  return {
    mean: { values: mean, magnitudes: size },
    inv: { values: inv, magnitudes: inv.map((f, i) => f * (1 + f * size[i]!)) },
  };
}

/** What an error of mean and inv does to n = (x − mean)·inv, in units of 2⁻²³ per term. */
function normed(x: ArrayLike<number>, width: number, eps: number) {
  const { mean, inv } = moments(x, width, eps);
  const values = Array.from(x, (v, e) => {
    const i = Math.floor(e / width);
    return (v - mean.values[i]!) * inv.values[i]!;
  });
  const magnitudes = values.map((n, e) => {
    const i = Math.floor(e / width);
    return (
      inv.values[i]! * (Math.abs(x[e]!) + mean.magnitudes[i]!) + Math.abs(n) * (inv.magnitudes[i]! / inv.values[i]!)
    );
  });
  const relativeInv = Array.from(inv.magnitudes, (m, i) => m / inv.values[i]!);
  return { values, magnitudes, inv: inv.values, relativeInv };
}

/** n·w + b in f64; b may be null. */
export function layerNorm(
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  b: ArrayLike<number> | null,
  eps: number,
): Reference {
  const width = w.length;
  const n = normed(x, width, eps);
  return {
    values: n.values.map((v, e) => v * w[e % width]! + (b?.[e % width] ?? 0)),
    magnitudes: n.magnitudes.map((v, e) => Math.abs(v * w[e % width]!) + Math.abs(b?.[e % width] ?? 0)),
  };
}

/** The gradient of `layerNorm` with respect to x, added to `before`. */
export function layerNormDx(
  before: ArrayLike<number>,
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  eps: number,
): Reference {
  const width = w.length;
  const n = normed(x, width, eps);
  const values = Array.from(before);
  const magnitudes = values.map(Math.abs);
  for (let i = 0; i < n.inv.length; i++) {
    const at = Array.from({ length: width }, (_, c) => i * width + c);
    const mean = (term: (e: number) => number) => at.reduce((sum, e) => sum + term(e), 0) / width;
    const g = (e: number) => w[e % width]! * dy[e]!;
    const size = (e: number) => Math.abs(g(e));
    const [meanG, meanGn] = [mean(g), mean((e) => g(e) * n.values[e]!)];
    const [sizeG, sizeGn] = [mean(size), mean((e) => size(e) * n.magnitudes[e]!)];
    const f = n.inv[i]!;
    for (const e of at) {
      values[e]! += f * (g(e) - meanG - n.values[e]! * meanGn);
      magnitudes[e]! += f * n.relativeInv[i]! * (size(e) + sizeG + n.magnitudes[e]! * sizeGn);
    }
  }
  return { values, magnitudes };
}

/** The gradients of `layerNorm` with respect to w and b, added to what was there before. */
export function layerNormDw(
  before: { dw: ArrayLike<number>; db: ArrayLike<number> },
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  eps: number,
): { dw: Reference; db: Reference } {
  const width = before.dw.length;
  const n = normed(x, width, eps);
  const gather = (start: ArrayLike<number>, term: (e: number) => number) => {
    const sums = Array.from(start);
    for (let e = 0; e < x.length; e++) sums[e % width]! += term(e);
    return sums;
  };
  const sizes = (a: ArrayLike<number>) => Array.from(a, Math.abs);
  return {
    dw: {
      values: gather(before.dw, (e) => dy[e]! * n.values[e]!),
      magnitudes: gather(sizes(before.dw), (e) => Math.abs(dy[e]!) * n.magnitudes[e]!),
    },
    db: {
      values: gather(before.db, (e) => dy[e]!),
      magnitudes: gather(sizes(before.db), (e) => Math.abs(dy[e]!)),
    },
  };
}
