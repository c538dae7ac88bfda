/**
 * exp for four lanes, to about one unit in the last place.
 *
 *   exp(x) = 2ⁿ·exp(r),  n = round(x / ln 2),  |r| ≤ ln 2 / 2
 *
 * ln 2 is split in two so that n·ln2High is exact (Cody and Waite); exp(r) = 1 + r + r²·P(r) with P the degree-5
 * minimax polynomial of Cephes' expf. Results below e⁻⁸⁶·⁹⁸ (1.7e-38) are flushed to zero, above 2¹²⁸ they are +∞; NaN stays NaN.
 *
 * Constants are kept in memory: V8 12 and later load one in one instruction, and build a literal vector in four, at every use.
 */
import { madd } from "./lanes";

const TABLE: usize = memory.data<f32>([
  1, 0.5, Infinity, -86.98, 88.72284, 1.44269504088896341, 12582912, -0.693359375, 2.12194440e-4,
  1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
]);
export const ONE: usize = TABLE;
const HALF: usize = TABLE + 4, INFINITE: usize = TABLE + 8;
/** What is between them has a normal, finite result. */
const LOW: usize = TABLE + 12, HIGH: usize = TABLE + 16;
const LOG2_E: usize = TABLE + 20;
/** 1.5·2²³: added to a number it leaves the nearest integer in the low bits of the sum. */
const ROUND: usize = TABLE + 24;
const LN2_HIGH: usize = TABLE + 28, LN2_LOW: usize = TABLE + 32;
const SERIES: usize = TABLE + 36;

/** `once`: as a call, for where it runs once. */
// @ts-ignore: decorator
@inline
export function exp4(x: v128, once: bool = false): v128 {
  return once ? called(x) : inlined(x);
}

function called(x: v128): v128 {
  return inlined(x);
}

// @ts-ignore: decorator
@inline
function inlined(x: v128): v128 {
  const low = v128.load32_splat(LOW), high = v128.load32_splat(HIGH), round = v128.load32_splat(ROUND);
  const clamped = f32x4.pmin(f32x4.pmax(x, low), high);
  const shifted = madd(clamped, v128.load32_splat(LOG2_E), round);
  const n = f32x4.sub(shifted, round);
  let r = madd(n, v128.load32_splat(LN2_HIGH), clamped);
  r = madd(n, v128.load32_splat(LN2_LOW), r);
  let p = v128.load32_splat(SERIES);
  p = madd(p, r, v128.load32_splat(SERIES, 4));
  p = madd(p, r, v128.load32_splat(SERIES, 8));
  p = madd(p, r, v128.load32_splat(SERIES, 12));
  p = madd(p, r, v128.load32_splat(SERIES, 16));
  p = madd(p, r, v128.load32_splat(SERIES, 20));
  const e = f32x4.add(madd(p, f32x4.mul(r, r), r), v128.load32_splat(ONE));
  // 2·(e·2ⁿ⁻¹), since n reaches 128 where one exponent field does not. The exponent field of ½ is that of 2⁰ less one.
  const half = f32x4.mul(e, i32x4.add(i32x4.shl(shifted, 23), v128.load32_splat(HALF)));
  const inRange = v128.andnot(f32x4.add(half, half), f32x4.lt(x, low));
  return v128.bitselect(v128.load32_splat(INFINITE), inRange, f32x4.gt(x, high));
}

/** exp of one number, with the very rounding of `exp4`. */
// @ts-ignore: decorator
@inline
export function exp1(x: f32): f32 {
  return f32x4.extract_lane(called(f32x4.splat(x)), 0);
}
