/**
 * exp for four lanes, to about one unit in the last place.
 *
 *   exp(x) = 2ⁿ·exp(r),  n = round(x / ln 2),  |r| ≤ ln 2 / 2
 *
 * ln 2 is split in two so that n·ln2High is exact (Cody and Waite); exp(r) = 1 + r + r²·P(r) with P the degree-5
 * minimax polynomial of Cephes' expf. Results below e⁻⁸⁶·⁹⁸ (1.7e-38) are flushed to zero, above 2¹²⁸ they are +∞; NaN stays NaN.
 */
import { madd } from "./lanes";

// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const low = f32x4.splat(-86.98);
  const clamped = f32x4.pmin(f32x4.pmax(x, low), f32x4.splat(88.72284));
  // 1.5·2²³ + n: rounds to the integer n, which then stands in the low bits of the sum.
  const shifted = madd(clamped, f32x4.splat(1.44269504088896341), f32x4.splat(12582912));
  const n = f32x4.sub(shifted, f32x4.splat(12582912));
  let r = madd(n, f32x4.splat(-0.693359375), clamped);
  r = madd(n, f32x4.splat(2.12194440e-4), r);
  let p = f32x4.splat(1.9875691500e-4);
  p = madd(p, r, f32x4.splat(1.3981999507e-3));
  p = madd(p, r, f32x4.splat(8.3334519073e-3));
  p = madd(p, r, f32x4.splat(4.1665795894e-2));
  p = madd(p, r, f32x4.splat(1.6666665459e-1));
  p = madd(p, r, f32x4.splat(5.0000001201e-1));
  const e = f32x4.add(madd(p, f32x4.mul(r, r), r), f32x4.splat(1));
  // 2·(e·2ⁿ⁻¹), since n reaches 128 where one exponent field does not. 0x4b400000 is 1.5·2²³, 126 the exponent's bias − 1.
  const half = f32x4.mul(e, i32x4.shl(i32x4.sub(shifted, i32x4.splat(0x4b400000 - 126)), 23));
  const inRange = v128.andnot(f32x4.add(half, half), f32x4.lt(x, low));
  return v128.bitselect(f32x4.splat(Infinity), inRange, f32x4.gt(x, f32x4.splat(88.72284)));
}

/** exp of one number, with the very rounding of `exp4`. */
// @ts-ignore: decorator
@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}
