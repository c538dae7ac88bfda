/**
 * exp for four lanes, to about one unit in the last place.
 *
 *   exp(x) = 2ⁿ·exp(r),  n = round(x / ln 2),  |r| ≤ ln 2 / 2
 *
 * ln 2 is split in two so that n·ln2High is exact (Cody and Waite); exp(r) = 1 + r + r²·P(r) with P the degree-5
 * minimax polynomial of Cephes' expf. Results below 2⁻¹²⁶ are flushed to zero, above 2¹²⁸ they are +∞; NaN stays NaN.
 */
import { madd } from "./lanes";

// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  const low = f32x4.splat(-87.33654);
  const clamped = f32x4.min(f32x4.max(x, low), f32x4.splat(88.72284));
  const n = f32x4.nearest(f32x4.mul(clamped, f32x4.splat(1.44269504088896341)));
  let r = f32x4.sub(clamped, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)));
  let p = f32x4.splat(1.9875691500e-4);
  p = madd(p, r, f32x4.splat(1.3981999507e-3));
  p = madd(p, r, f32x4.splat(8.3334519073e-3));
  p = madd(p, r, f32x4.splat(4.1665795894e-2));
  p = madd(p, r, f32x4.splat(1.6666665459e-1));
  p = madd(p, r, f32x4.splat(5.0000001201e-1));
  const e = f32x4.add(madd(p, f32x4.mul(r, r), r), f32x4.splat(1));
  // 2ⁿ in two factors, since n reaches 128 where one exponent field does not.
  const half = i32x4.shr_s(i32x4.trunc_sat_f32x4_s(n), 1);
  const rest = i32x4.sub(i32x4.trunc_sat_f32x4_s(n), half);
  const bias = i32x4.splat(127);
  const y = f32x4.mul(
    f32x4.mul(e, i32x4.shl(i32x4.add(half, bias), 23)),
    i32x4.shl(i32x4.add(rest, bias), 23),
  );
  const inRange = v128.andnot(y, f32x4.lt(x, low));
  return v128.bitselect(f32x4.splat(Infinity), inRange, f32x4.gt(x, f32x4.splat(88.72284)));
}

/** exp of one number, with the very rounding of `exp4`. */
// @ts-ignore: decorator
@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}
