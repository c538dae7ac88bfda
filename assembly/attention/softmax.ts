/**
 * Powers of two for eight lanes, to about one unit in the last place: what a softmax needs, whose scores come multiplied by log₂ e.
 *
 *   2ˣ = 2ⁿ·2ʳ,  n = round(x),  |r| ≤ 1/2;  2ʳ by a polynomial of degree 6, 1 at r = 0
 *
 * x ≤ 127. Results below 2⁻¹²⁶·⁵ are 0; NaN stays NaN. The constants are loaded, since V8 makes a constant anew for every use, which
 * took more than half of the time.
 */
import { madd } from "../simd/lanes";

/** log₂ e, and its inverse. */
export const LOG2_E: f32 = 1.44269504088896341;
export const LN_2: f32 = 0.693147180559945309;

/** The least exponent; 1.5·2²³ + 127, which rounds to n and leaves n + 127 in the low bits; the polynomial. */
const CONSTANTS: usize = memory.data<f32>([
  -127, 12583039, 1.5326007269e-4, 1.3390808599e-3, 9.6185067669e-3, 5.5503599346e-2, 0.24022647738, 0.69314718246, 1,
], 16);

// @ts-ignore: decorator
@inline
function power(x: v128, least: v128, shift: v128, c6: v128, c5: v128, c4: v128, c3: v128, c2: v128, c1: v128, one: v128): v128 {
  const clamped = f32x4.pmax(x, least);
  const shifted = f32x4.add(clamped, shift);
  const r = f32x4.sub(clamped, f32x4.sub(shifted, shift));
  let p = madd(c6, r, c5);
  p = madd(p, r, c4);
  p = madd(p, r, c3);
  p = madd(p, r, c2);
  p = madd(p, r, c1);
  p = madd(p, r, one);
  return f32x4.mul(p, i32x4.shl(shifted, 23));
}

/**
 * x = 2^(x − highest) for `count` rows of eight, `step` bytes apart; highest [8]. Each is added to sum [8].
 */
export function powers(x: usize, step: usize, count: i32, highest: usize, sum: usize): void {
  const least = v128.load32_splat(CONSTANTS), shift = v128.load32_splat(CONSTANTS, 4);
  const c6 = v128.load32_splat(CONSTANTS, 8), c5 = v128.load32_splat(CONSTANTS, 12), c4 = v128.load32_splat(CONSTANTS, 16);
  const c3 = v128.load32_splat(CONSTANTS, 20), c2 = v128.load32_splat(CONSTANTS, 24), c1 = v128.load32_splat(CONSTANTS, 28);
  const one = v128.load32_splat(CONSTANTS, 32);
  const h0 = v128.load(highest), h1 = v128.load(highest, 16);
  let s0 = v128.load(sum), s1 = v128.load(sum, 16);
  for (const end = x + <usize>count * step; x < end; x += step) {
    const e0 = power(f32x4.sub(v128.load(x), h0), least, shift, c6, c5, c4, c3, c2, c1, one);
    const e1 = power(f32x4.sub(v128.load(x, 16), h1), least, shift, c6, c5, c4, c3, c2, c1, one);
    s0 = f32x4.add(s0, e0), s1 = f32x4.add(s1, e1);
    v128.store(x, e0), v128.store(x, e1, 16);
  }
  v128.store(sum, s0), v128.store(sum, s1, 16);
}

/**
 * The statistics of an online softmax in eight lanes: maximum, sum, factor, and what nobody reads. The factor 2^(maximum before −
 * maximum now) is due to all that was summed before.
 */
export const STATS: usize = 128;
export const SUM: usize = 32;
export const FACTOR: usize = 64;

export function startStats(stat: usize): void {
  memory.fill(stat, 0xfe, SUM); // −1.7e38
  memory.fill(stat + SUM, 0, STATS - SUM);
}

/** x = 2^(x − maximum) for `count` rows of eight, `step` bytes apart; the statistics follow. */
export function softmax8(stat: usize, x: usize, step: usize, count: i32): void {
  let h0 = v128.load(stat), h1 = v128.load(stat, 16);
  v128.store(stat, h0, FACTOR), v128.store(stat, h1, FACTOR + 16);
  for (let p = x, end = x + <usize>count * step; p < end; p += step) {
    h0 = f32x4.pmax(h0, v128.load(p)), h1 = f32x4.pmax(h1, v128.load(p, 16));
  }
  v128.store(stat, h0), v128.store(stat, h1, 16);
  addPowers(stat, x, step, count);
}

/** The same where the maximum is known, and the factor is still the maximum before. */
export function addPowers(stat: usize, x: usize, step: usize, count: i32): void {
  powers(stat + FACTOR, 32, 1, stat, stat + FACTOR + 32);
  const s0 = f32x4.mul(v128.load(stat, SUM), v128.load(stat, FACTOR));
  const s1 = f32x4.mul(v128.load(stat, SUM + 16), v128.load(stat, FACTOR + 16));
  v128.store(stat, s0, SUM), v128.store(stat, s1, SUM + 16);
  powers(x, step, count, stat, stat + SUM);
}
