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
import { map2, map3, map4 } from "../simd/map";
import { loadRest } from "../simd/part";

/** @split items of width */
export function rms_norm_f32(
  y: usize, inv: usize, x: usize, w: usize, width: i32, eps: f32, start: i32, end: i32,
): void {
  const row = <usize>width << 2;
  for (let i: usize = start; i < <usize>end; i++) {
    const from = x + i * row, to = y + i * row;
    const factor: f32 = 1 / sqrt<f32>(dot(from, from, width) / <f32>width + eps);
    if (inv) store<f32>(inv + (i << 2), factor);
    map2<Normalized>(to, from, w, 0, width, f32x4.splat(factor));
  }
}

@unmanaged
class Normalized {
  // @ts-ignore: decorator
  @inline
  of(x: v128, w: v128, inv: v128, _l: v128, _once: bool): v128 {
    return f32x4.mul(f32x4.mul(x, inv), w);
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
    map4<Moved>(dx + at, dx + at, dy + at, x + at, w, 0, width, f, k);
  }
}

/** dx after, with k = inv³·mean(w·dy·x). */
@unmanaged
class Moved {
  // @ts-ignore: decorator
  @inline
  of(dx: v128, dy: v128, x: v128, w: v128, inv: v128, k: v128, _m: v128, _n: v128, _once: bool): v128 {
    return f32x4.add(dx, f32x4.sub(f32x4.mul(inv, f32x4.mul(w, dy)), f32x4.mul(k, x)));
  }
}

/** Σ p[i]·q[i]·r[i] for i < n, in four partial sums. */
// @ts-ignore: decorator
@inline
function dot3(p: usize, q: usize, r: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  for (; n > 3; n -= 4, p += 16, q += 16, r += 16) {
    sum = madd(f32x4.mul(v128.load(p), v128.load(q)), v128.load(r), sum);
  }
  if (n > 0) sum = madd(f32x4.mul(loadRest(p, n), loadRest(q, n)), loadRest(r, n), sum);
  return hsum(sum);
}

/** @split items of rows * width */
export function rms_norm_f32_dw(
  dw: usize, dy: usize, x: usize, inv: usize, rows: i32, width: i32, start: i32, end: i32,
): void {
  const row = <usize>width << 2;
  for (let i = 0; i < rows; i++, dy += row, x += row) {
    map3<AddToScale>(dw, dw, dy, x, start, end, v128.load32_splat(inv + (<usize>i << 2)));
  }
}

/** dw + dy·x·inv. */
@unmanaged
class AddToScale {
  // @ts-ignore: decorator
  @inline
  of(dw: v128, dy: v128, x: v128, inv: v128, _l: v128, _once: bool): v128 {
    return madd(f32x4.mul(dy, x), inv, dw);
  }
}
