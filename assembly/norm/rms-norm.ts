/**
 * Root mean square norm (Zhang and Sennrich 2019) of each row of x [T, D]:
 *
 *   inv = 1 / √(mean(x²) + eps)      y = x·inv·w
 *   dx += inv·(w·dy − x·inv²·mean(w·dy·x))      dw += Σ_rows dy·x·inv
 *
 *   w [D]   inv [T], kept for the gradients; forward takes 0 for it when nobody needs it
 *   start, end: range of rows; of columns for dw
 */
import { dot, hsum, madd } from "../simd/lanes";
import { loadPart, storePart } from "../simd/part";

/** @split items of width */
export function rms_norm_f32(
  y: usize, inv: usize, x: usize, w: usize, width: i32, eps: f32, start: i32, end: i32,
): void {
  const row = <usize>width << 2;
  for (let i: usize = start; i < <usize>end; i++) {
    const from = x + i * row, to = y + i * row;
    const factor: f32 = 1 / sqrt<f32>(dot(from, from, width) / <f32>width + eps);
    if (inv) store<f32>(inv + (i << 2), factor);
    const f = f32x4.splat(factor);
    let c: usize = 0;
    for (let left = width; left > 0; left -= 4, c += 16) {
      storePart(to + c, f32x4.mul(f32x4.mul(loadPart(from + c, left), f), loadPart(w + c, left)), left);
    }
  }
}

/** @split items of width */
export function rms_norm_f32_dx(
  dx: usize, dy: usize, x: usize, w: usize, inv: usize, width: i32, start: i32, end: i32,
): void {
  const row = <usize>width << 2;
  for (let i: usize = start; i < <usize>end; i++) {
    const at = i * row;
    const factor = load<f32>(inv + (i << 2));
    const mean = dot3(w, dy + at, x + at, width) / <f32>width;
    const f = f32x4.splat(factor), k = f32x4.splat(factor * factor * factor * mean);
    let c: usize = 0;
    for (let left = width; left > 0; left -= 4, c += 16) {
      const g = f32x4.mul(loadPart(w + c, left), loadPart(dy + at + c, left));
      const d = f32x4.sub(f32x4.mul(f, g), f32x4.mul(k, loadPart(x + at + c, left)));
      storePart(dx + at + c, f32x4.add(loadPart(dx + at + c, left), d), left);
    }
  }
}

/** Σ p[i]·q[i]·r[i] for i < n, in four partial sums. */
// @ts-ignore: decorator
@inline
function dot3(p: usize, q: usize, r: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  for (; n > 0; n -= 4, p += 16, q += 16, r += 16) {
    sum = madd(f32x4.mul(loadPart(p, n), loadPart(q, n)), loadPart(r, n), sum);
  }
  return hsum(sum);
}

/** @split items of rows * width */
export function rms_norm_f32_dw(
  dw: usize, dy: usize, x: usize, inv: usize, rows: i32, width: i32, start: i32, end: i32,
): void {
  for (let i = 0; i < rows; i++) {
    const f = v128.load32_splat(inv + (<usize>i << 2));
    const row = <usize>(i * width) << 2;
    let c: usize = <usize>start << 2;
    for (let left = end - start; left > 0; left -= 4, c += 16) {
      const d = f32x4.mul(loadPart(dy + row + c, left), loadPart(x + row + c, left));
      storePart(dw + c, madd(d, f, loadPart(dw + c, left)), left);
    }
  }
}
