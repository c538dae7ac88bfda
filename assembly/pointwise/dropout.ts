/**
 * Inverted dropout (Srivastava et al. 2014) with a mask that is a function of the element's index, never stored:
 *
 *   kept(e) = word[e mod 4] ≥ ⌊p·2³²⌋,  word = Philox 4x32-10 at counter (⌊e/4⌋, 0, stream, 0), key (seedLow, seedHigh)
 *   y = kept·x / (1 − p)      dx += kept·dy / (1 − p)
 *
 * 0 ≤ p < 1. start, end: element range; y may be x.
 *
 * Philox is by Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
 */
import { loadPart, storePart } from "../simd/part";

/** @split items */
export function dropout_f32(
  y: usize, x: usize, p: f32, seedLow: i32, seedHigh: i32, stream: i32, start: i32, end: i32,
): void {
  drop(y, x, false, p, seedLow, seedHigh, stream, start, end);
}

/** @split items */
export function dropout_f32_dx(
  dx: usize, dy: usize, p: f32, seedLow: i32, seedHigh: i32, stream: i32, start: i32, end: i32,
): void {
  drop(dx, dy, true, p, seedLow, seedHigh, stream, start, end);
}

/**
 * The four words of block (c0, c1, c2, c3) under key (k0, k1), to out [4] u32.
 * @split never
 */
export function philox4x32(out: usize, c0: i32, c1: i32, c2: i32, c3: i32, k0: i32, k1: i32): void {
  let even = lanes(c0, c2, 0, 0), odd = lanes(c1, c3, 0, 0), key = lanes(k0, k1, k0, k1);
  for (let round = 0; round < ROUNDS; round++) {
    const low = lowHalves(even);
    even = v128.xor(v128.xor(highHalves(even), odd), key);
    odd = low;
    key = nextKey(key);
  }
  v128.store(out, v128.shuffle<i32>(even, odd, 0, 4, 1, 5));
}

/** Eight elements, two blocks of Philox, at a time. */
// @ts-ignore: decorator
@inline
function drop(
  out: usize, x: usize, accumulate: bool, p: f32, seedLow: i32, seedHigh: i32, stream: i32, start: i32, end: i32,
): void {
  assert(p >= 0 && p < 1);
  const least = i32x4.splat(<i32><u32>(<f64>p * 4294967296.0));
  const scale = f32x4.splat(<f32>(1.0 / (1.0 - <f64>p)));
  for (let e = start & ~7; e < end; e += 8) {
    const block = e >> 2;
    let even = lanes(block, stream, block + 1, stream), odd = i32x4.splat(0);
    let key = lanes(seedLow, seedHigh, seedLow, seedHigh);
    for (let round = 0; round < ROUNDS; round++) {
      const low = lowHalves(even);
      even = v128.xor(v128.xor(highHalves(even), odd), key);
      odd = low;
      key = nextKey(key);
    }
    const kept = i32x4.ge_u(v128.shuffle<i32>(even, odd, 0, 4, 1, 5), least);
    const keptNext = i32x4.ge_u(v128.shuffle<i32>(even, odd, 2, 6, 3, 7), least);
    put(out, x, accumulate, kept, scale, e, start, end);
    put(out, x, accumulate, keptNext, scale, e + 4, start, end);
  }
}

/** Writes those of elements e to e + 3 that lie in the range. */
// @ts-ignore: decorator
@inline
function put(out: usize, x: usize, accumulate: bool, kept: v128, scale: v128, e: i32, start: i32, end: i32): void {
  let count = min(4, end - e);
  for (; e < start && count > 0; e++, count--) kept = v128.shuffle<i32>(kept, kept, 1, 2, 3, 3);
  if (count <= 0) return;
  const at = <usize>e << 2;
  let v = v128.and(f32x4.mul(loadPart(x + at, count), scale), kept);
  if (accumulate) v = f32x4.add(v, loadPart(out + at, count));
  storePart(out + at, v, count);
}

/*
 * A round multiplies words 0 and 2 of a block by constants to 64 bits; the low halves become words 3 and 1, the high
 * halves, mixed with words 3 and 1 and the key, words 2 and 0. The key moves on by Weyl constants. Here `even` is
 * (word 0, word 2) of two blocks, `odd` is (word 1, word 3).
 */
const ROUNDS: i32 = 10;
/** The multipliers of words 0 and 2, and what is added to the words of the key. In memory, as the constants of simd/exp.ts. */
const TABLE: usize = memory.data<u32>([0xd2511f53, 0xcd9e8d57, 0x9e3779b9, 0xbb67ae85]);

// @ts-ignore: decorator
@inline
function highHalves(even: v128): v128 {
  const multipliers = v128.load64_splat(TABLE);
  const first = i64x2.extmul_low_i32x4_u(even, multipliers), second = i64x2.extmul_high_i32x4_u(even, multipliers);
  return v128.shuffle<i32>(first, second, 3, 1, 7, 5);
}

// @ts-ignore: decorator
@inline
function lowHalves(even: v128): v128 {
  const multipliers = v128.load64_splat(TABLE);
  const first = i64x2.extmul_low_i32x4_u(even, multipliers), second = i64x2.extmul_high_i32x4_u(even, multipliers);
  return v128.shuffle<i32>(first, second, 2, 0, 6, 4);
}

/** The key after one round: + golden ratio, + √3 − 1. */
// @ts-ignore: decorator
@inline
function nextKey(key: v128): v128 {
  return i32x4.add(key, v128.load64_splat(TABLE, 8));
}

// @ts-ignore: decorator
@inline
function lanes(a: i32, b: i32, c: i32, d: i32): v128 {
  return i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(a), 1, b), 2, c), 3, d);
}
