/**
 * One step of Adafactor (Shazeer and Stern 2018) on a matrix, as transformers.optimization.Adafactor has it, in four passes
 * over the gradient g [rows, cols], which counts gradScale times:
 *
 *   adafactor_rows_f32      row[i] ← beta2·row[i] + (1 − beta2)·(mean_j g² + eps)       start, end: rows
 *   adafactor_columns_f32   col[j] ← beta2·col[j] + (1 − beta2)·(mean_i g² + eps)       start, end: columns
 *   adafactor_norms_f32     norms[i] ← Σ_j u²  in f64, of the update                    start, end: rows
 *                           u[i, j] = g / √(row[i] / rowMean) / √col[j],  rowMean = mean(row)
 *   adafactor_f32           p ← p·keep − lr·u                                           start, end: rows
 *                           or, with a first moment:  f ← beta1·f + (1 − beta1)·lr·u,  p ← p·keep − f
 *
 * p, f [rows, cols]: parameter and first moment, f = 0 is none; pitch is cols. The caller divides lr by how much too large the update is, which the
 * norms tell. A vector is a matrix of one row: row[0] / rowMean is 1, and col its second moment. Means are summed in f64.
 * Nothing is fused, so all builds give the same bits.
 */
import { loadFourOrOne, loadPart, storeFourOrOne, storePart } from "../simd/part";

/** @split items of cols */
export function adafactor_rows_f32(
  row: usize, g: usize, cols: i32, gradScale: f64, eps: f64, beta2: f64, start: i32, end: i32,
): void {
  const clip = f32x4.splat(<f32>gradScale);
  for (let i = start; i < end; i++) {
    let at = g + (<usize>i * <usize>cols << 2);
    let low = f64x2.splat(0), high = f64x2.splat(0);
    for (let left = cols; left > 0; left -= 4, at += 16) {
      const d = f32x4.mul(loadPart(at, left), clip);
      low = addSquares(low, d);
      high = addSquares(high, upper(d));
    }
    const r = row + (<usize>i << 2);
    store<f32>(r, <f32>(beta2 * load<f32>(r) + (1 - beta2) * (sum2(low, high) / cols + eps)));
  }
}

/** @split items of rows */
export function adafactor_columns_f32(
  col: usize, g: usize, rows: i32, pitch: i32, gradScale: f64, eps: f64, beta2: f64, start: i32, end: i32,
): void {
  const clip = f32x4.splat(<f32>gradScale);
  const next = <usize>pitch << 2;
  let j = start;
  for (; j + 16 <= end; j += 16) {
    let at = g + (<usize>j << 2);
    let s0 = f64x2.splat(0), s1 = f64x2.splat(0), s2 = f64x2.splat(0), s3 = f64x2.splat(0);
    let s4 = f64x2.splat(0), s5 = f64x2.splat(0), s6 = f64x2.splat(0), s7 = f64x2.splat(0);
    for (let i = 0; i < rows; i++, at += next) {
      const a = f32x4.mul(v128.load(at), clip), b = f32x4.mul(v128.load(at, 16), clip);
      const c = f32x4.mul(v128.load(at, 32), clip), d = f32x4.mul(v128.load(at, 48), clip);
      s0 = addSquares(s0, a); s1 = addSquares(s1, upper(a));
      s2 = addSquares(s2, b); s3 = addSquares(s3, upper(b));
      s4 = addSquares(s4, c); s5 = addSquares(s5, upper(c));
      s6 = addSquares(s6, d); s7 = addSquares(s7, upper(d));
    }
    const to = col + (<usize>j << 2);
    averageInto(to, s0, s1, rows, eps, beta2, 4);
    averageInto(to + 16, s2, s3, rows, eps, beta2, 4);
    averageInto(to + 32, s4, s5, rows, eps, beta2, 4);
    averageInto(to + 48, s6, s7, rows, eps, beta2, 4);
  }
  for (; j < end; j += 4) {
    let at = g + (<usize>j << 2);
    let low = f64x2.splat(0), high = f64x2.splat(0);
    for (let i = 0; i < rows; i++, at += next) {
      const d = f32x4.mul(loadPart(at, end - j), clip);
      low = addSquares(low, d);
      high = addSquares(high, upper(d));
    }
    averageInto(col + (<usize>j << 2), low, high, rows, eps, beta2, end - j);
  }
}

/** @split items of cols */
export function adafactor_norms_f32(
  norms: usize, g: usize, row: usize, col: usize, rowMean: f64, cols: i32, gradScale: f64, start: i32, end: i32,
): void {
  const clip = f32x4.splat(<f32>gradScale);
  for (let i = start; i < end; i++) {
    const r = rowFactor(row, i, rowMean);
    const from = g + (<usize>i * <usize>cols << 2);
    let low = f64x2.splat(0), high = f64x2.splat(0);
    let j: usize = 0;
    for (let left = cols; left > 0; left -= 4, j += 16) {
      const u = update(r, loadPart(col + j, left), f32x4.mul(loadPart(from + j, left), clip), left);
      low = addSquares(low, u);
      high = addSquares(high, upper(u));
    }
    store<f64>(norms + (<usize>i << 3), sum2(low, high));
  }
}

/** @split items of cols */
export function adafactor_f32(
  p: usize, g: usize, f: usize, row: usize, col: usize, rowMean: f64, cols: i32, gradScale: f64, lr: f64, beta1: f64,
  keep: f64, start: i32, end: i32,
): void {
  const clip = f32x4.splat(<f32>gradScale);
  const rate = f32x4.splat(<f32>lr);
  const kept = f32x4.splat(<f32>keep);
  const old1 = f32x4.splat(<f32>beta1), new1 = f32x4.splat(<f32>(1 - beta1));
  for (let i = start; i < end; i++) {
    const r = rowFactor(row, i, rowMean);
    const at = <usize>i * <usize>cols << 2;
    const pi = p + at, gi = g + at, fi = f + at;
    const stop = <usize>cols << 2;
    let j: usize = 0;
    while (j < stop) {
      const four = stop - j > 15;
      const u = update(r, loadFourOrOne(col + j, four), f32x4.mul(loadFourOrOne(gi + j, four), clip), 4);
      let moved = f32x4.mul(u, rate);
      if (f != 0) {
        moved = f32x4.add(f32x4.mul(loadFourOrOne(fi + j, four), old1), f32x4.mul(new1, moved));
        storeFourOrOne(fi + j, moved, four);
      }
      storeFourOrOne(pi + j, f32x4.sub(f32x4.mul(loadFourOrOne(pi + j, four), kept), moved), four);
      j += four ? 16 : 4;
    }
  }
}

/** The first `count` lanes of d·r/√col; what lies beyond is 0, not 0/0. */
// @ts-ignore: decorator
@inline
function update(r: v128, col: v128, d: v128, count: i32): v128 {
  const u = f32x4.mul(f32x4.mul(r, f32x4.div(f32x4.splat(1), f32x4.sqrt(col))), d);
  if (count >= 4) return u;
  const lanes = i32x4(0, 1, 2, 3);
  return v128.and(u, i32x4.lt_s(lanes, i32x4.splat(count)));
}

/** 1/√(row[i] / rowMean) in every lane. */
// @ts-ignore: decorator
@inline
function rowFactor(row: usize, i: i32, rowMean: f64): v128 {
  return f32x4.splat(1 / sqrt<f32>(load<f32>(row + (<usize>i << 2)) / <f32>rowMean));
}

/** Lanes 2 and 3 in place of 0 and 1. */
// @ts-ignore: decorator
@inline
function upper(v: v128): v128 {
  return v128.shuffle<f32>(v, v, 2, 3, 2, 3);
}

/** sum + the squares of lanes 0 and 1, in f64. */
// @ts-ignore: decorator
@inline
function addSquares(sum: v128, v: v128): v128 {
  const d = f64x2.promote_low_f32x4(v);
  return f64x2.add(sum, f64x2.mul(d, d));
}

// @ts-ignore: decorator
@inline
function sum2(low: v128, high: v128): f64 {
  const pair = f64x2.add(low, high);
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}

/** col ← beta2·col + (1 − beta2)·(sums / rows + eps) for up to four columns. */
// @ts-ignore: decorator
@inline
function averageInto(col: usize, low: v128, high: v128, rows: i32, eps: f64, beta2: f64, count: i32): void {
  const c = loadPart(col, count);
  const a = average(f64x2.promote_low_f32x4(c), low, rows, eps, beta2);
  const b = average(f64x2.promote_low_f32x4(upper(c)), high, rows, eps, beta2);
  const both = v128.shuffle<f32>(f32x4.demote_f64x2_zero(a), f32x4.demote_f64x2_zero(b), 0, 1, 4, 5);
  storePart(col, both, count);
}

// @ts-ignore: decorator
@inline
function average(old: v128, sums: v128, rows: i32, eps: f64, beta2: f64): v128 {
  const mean = f64x2.add(f64x2.div(sums, f64x2.splat(rows)), f64x2.splat(eps));
  return f64x2.add(f64x2.mul(f64x2.splat(beta2), old), f64x2.mul(f64x2.splat(1 - beta2), mean));
}
