/**
 * Layer norm (Ba, Kiros and Hinton 2016) of each row of x [T, D], with n = (x − mean)·inv and g = w·dy:
 *
 *   inv = 1 / √(mean((x − mean)²) + eps)      y = n·w + b
 *   dx += inv·(g − mean(g) − n·mean(g·n))      dw += Σ_rows dy·n      db += Σ_rows dy
 *
 *   w, b [D]   b = 0: no shift
 *   mean, inv [T], kept for the gradients; forward takes 0 for them when nobody needs them
 *   dw or db may be 0: not wanted
 *   start, end: range of rows; of columns for dw and db
 */
import { hsum, madd } from "../simd/lanes";
import { loadPart, storePart } from "../simd/part";

/** @split items of width */
export function layer_norm_f32(
  y: usize, mean: usize, inv: usize, x: usize, w: usize, b: usize, width: i32, eps: f32, start: i32, end: i32,
): void {
  const row = <usize>width << 2;
  for (let i: usize = start; i < <usize>end; i++) {
    const from = x + i * row, to = y + i * row;
    const centre = rowSum(from, width) / <f32>width;
    const factor: f32 = 1 / sqrt<f32>(spread(from, centre, width) / <f32>width + eps);
    if (mean) store<f32>(mean + (i << 2), centre);
    if (inv) store<f32>(inv + (i << 2), factor);
    const m = f32x4.splat(centre), f = f32x4.splat(factor);
    let c: usize = 0;
    for (let left = width; left > 0; left -= 4, c += 16) {
      const n = f32x4.mul(f32x4.sub(loadPart(from + c, left), m), f);
      const shift = b ? loadPart(b + c, left) : f32x4.splat(0);
      storePart(to + c, madd(n, loadPart(w + c, left), shift), left);
    }
  }
}

/** Σ x[i] for i < n, in four partial sums. */
// @ts-ignore: decorator
@inline
function rowSum(x: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  for (; n > 0; n -= 4, x += 16) sum = f32x4.add(sum, loadPart(x, n));
  return hsum(sum);
}

/** Σ (x[i] − center)² for i < n. A separate pass, because Σ x² − n·center² cancels. */
// @ts-ignore: decorator
@inline
function spread(x: usize, centre: f32, n: i32): f32 {
  const m = f32x4.splat(centre);
  let sum = f32x4.splat(0);
  for (; n > 3; n -= 4, x += 16) {
    const d = f32x4.sub(v128.load(x), m);
    sum = madd(d, d, sum);
  }
  let total = hsum(sum);
  for (; n > 0; n--, x += 4) {
    const d = load<f32>(x) - centre;
    total += d * d;
  }
  return total;
}

/** @split items of width */
export function layer_norm_f32_dx(
  dx: usize, dy: usize, x: usize, w: usize, mean: usize, inv: usize, width: i32, start: i32, end: i32,
): void {
  const row = <usize>width << 2;
  for (let i: usize = start; i < <usize>end; i++) {
    const at = i * row;
    const m = v128.load32_splat(mean + (i << 2)), f = v128.load32_splat(inv + (i << 2));
    let sumG = f32x4.splat(0), sumGn = f32x4.splat(0);
    let c: usize = 0;
    for (let left = width; left > 0; left -= 4, c += 16) {
      const g = f32x4.mul(loadPart(w + c, left), loadPart(dy + at + c, left));
      const n = f32x4.mul(f32x4.sub(loadPart(x + at + c, left), m), f);
      sumG = f32x4.add(sumG, g);
      sumGn = madd(g, n, sumGn);
    }
    const meanG = f32x4.splat(hsum(sumG) / <f32>width), meanGn = f32x4.splat(hsum(sumGn) / <f32>width);
    c = 0;
    for (let left = width; left > 0; left -= 4, c += 16) {
      const g = f32x4.mul(loadPart(w + c, left), loadPart(dy + at + c, left));
      const n = f32x4.mul(f32x4.sub(loadPart(x + at + c, left), m), f);
      const d = f32x4.sub(f32x4.sub(g, meanG), f32x4.mul(n, meanGn));
      storePart(dx + at + c, madd(f, d, loadPart(dx + at + c, left)), left);
    }
  }
}

/** @split items of rows * width */
export function layer_norm_f32_dw(
  dw: usize, db: usize, dy: usize, x: usize, mean: usize, inv: usize, rows: i32, width: i32, start: i32, end: i32,
): void {
  for (let i: usize = 0; i < <usize>rows; i++) {
    const m = v128.load32_splat(mean + (i << 2)), f = v128.load32_splat(inv + (i << 2));
    const row = i * (<usize>width << 2);
    let c: usize = <usize>start << 2;
    for (let left = end - start; left > 0; left -= 4, c += 16) {
      const g = loadPart(dy + row + c, left);
      if (dw) {
        const n = f32x4.mul(f32x4.sub(loadPart(x + row + c, left), m), f);
        storePart(dw + c, madd(g, n, loadPart(dw + c, left)), left);
      }
      if (db) storePart(db + c, f32x4.add(g, loadPart(db + c, left)), left);
    }
  }
}
