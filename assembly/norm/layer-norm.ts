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
import { Sum } from "../simd/formulas";
import { hsum, madd } from "../simd/lanes";
import { map2, map3, map4 } from "../simd/map";
import { loadRest } from "../simd/part";

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
    if (b) map3<Shifted>(to, from, w, b, 0, width, f32x4.splat(centre), f32x4.splat(factor));
    else map2<Unshifted>(to, from, w, 0, width, f32x4.splat(centre), f32x4.splat(factor));
  }
}

@unmanaged
class Shifted {
  // @ts-ignore: decorator
  @inline
  of(x: v128, w: v128, b: v128, mean: v128, inv: v128, _once: bool): v128 {
    return madd(f32x4.mul(f32x4.sub(x, mean), inv), w, b);
  }
}

@unmanaged
class Unshifted {
  // @ts-ignore: decorator
  @inline
  of(x: v128, w: v128, mean: v128, inv: v128, once: bool): v128 {
    return changetype<Shifted>(0).of(x, w, f32x4.splat(0), mean, inv, once);
  }
}

/** Σ x[i] for i < n, in four partial sums. */
// @ts-ignore: decorator
@inline
function rowSum(x: usize, n: i32): f32 {
  let sum = f32x4.splat(0);
  for (; n > 3; n -= 4, x += 16) sum = f32x4.add(sum, v128.load(x));
  if (n > 0) sum = f32x4.add(sum, loadRest(x, n));
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
    const dyi = dy + i * row, xi = x + i * row;
    const m = v128.load32_splat(mean + (i << 2)), f = v128.load32_splat(inv + (i << 2));
    let sumG = f32x4.splat(0), sumGn = f32x4.splat(0);
    let c: usize = 0, left = width;
    for (; left > 3; left -= 4, c += 16) {
      const g = f32x4.mul(v128.load(w + c), v128.load(dyi + c));
      sumG = f32x4.add(sumG, g);
      sumGn = madd(g, f32x4.mul(f32x4.sub(v128.load(xi + c), m), f), sumGn);
    }
    if (left > 0) {
      const g = f32x4.mul(loadRest(w + c, left), loadRest(dyi + c, left));
      sumG = f32x4.add(sumG, g);
      sumGn = madd(g, f32x4.mul(f32x4.sub(loadRest(xi + c, left), m), f), sumGn);
    }
    const meanG = f32x4.splat(hsum(sumG) / <f32>width), meanGn = f32x4.splat(hsum(sumGn) / <f32>width);
    map4<Moved>(dx + i * row, dx + i * row, dyi, xi, w, 0, width, m, f, meanG, meanGn);
  }
}

/** dx after. */
@unmanaged
class Moved {
  // @ts-ignore: decorator
  @inline
  of(dx: v128, dy: v128, x: v128, w: v128, mean: v128, inv: v128, meanG: v128, meanGn: v128, _once: bool): v128 {
    const g = f32x4.mul(w, dy), n = f32x4.mul(f32x4.sub(x, mean), inv);
    return madd(inv, f32x4.sub(f32x4.sub(g, meanG), f32x4.mul(n, meanGn)), dx);
  }
}

/** @split items of rows * width */
export function layer_norm_f32_dw(
  dw: usize, db: usize, dy: usize, x: usize, mean: usize, inv: usize, rows: i32, width: i32, start: i32, end: i32,
): void {
  const row = <usize>width << 2;
  for (let i: usize = 0; i < <usize>rows; i++, dy += row, x += row) {
    const m = v128.load32_splat(mean + (i << 2)), f = v128.load32_splat(inv + (i << 2));
    if (dw) map3<AddToScale>(dw, dw, dy, x, start, end, m, f);
    if (db) map2<Sum>(db, dy, db, start, end);
  }
}

/** dw + dy·n. */
@unmanaged
class AddToScale {
  // @ts-ignore: decorator
  @inline
  of(dw: v128, dy: v128, x: v128, mean: v128, inv: v128, _once: bool): v128 {
    return madd(dy, f32x4.mul(f32x4.sub(x, mean), inv), dw);
  }
}
