/**
 * One step of AdamW whose moments are bytes (Dettmers et al. 2022), as bitsandbytes.optim.AdamW8bit has it. Moments are kept in
 * blocks of `width` elements: a block's largest magnitude in f32, and for each element the code of the level next to its share of
 * that. Levels are the dynamic tree quantization of the paper: of both signs for m, of one for v.
 *
 *   m0 = scaleM[block]·signed[m]      v0 = scaleV[block]·unsigned[v]
 *   the step of adamw_f32 on p, g, m0, v0, which gives p, m1, v1
 *   scaleM[block] ← max |m1|          scaleV[block] ← max v1          m, v ← codes of m1 / scaleM[block], v1 / scaleV[block]
 *
 * Unlike bitsandbytes a v1 that is not zero never gets the code of zero: m1 may have a level where v1 has none, and m1/(0 + eps)
 * would throw the parameter away. What is not zero but tiny gets the smallest level, so its steps are smaller than they might be.
 *
 *   p, g [n] f32    m, v [n] bytes    scaleM, scaleV [⌈n / width⌉] f32    workspace  of adamw_8bit_workspace(width) bytes
 *   table   f32 signed[256], unsigned[256], signed middles[256], unsigned middles[256]; bytes signed ranks[3072], unsigned ranks[3072]
 *
 * A rank counts the levels from 0 up. middles[rank] lies halfway between the levels of that rank and the next. ranks[k] is the
 * rank of the smallest number whose upper 16 bits are k more than those of 2⁻²³: at most one middle lies before the next k, so one
 * comparison finds the level. Zero has code 127 in m and 0 in v. start, end: range of blocks.
 */
import { hmax } from "../simd/lanes";
import { loadPart, storePart } from "../simd/part";

const SIGNED_ZERO: i32 = 127;
/** @host DYNAMIC_UNSIGNED */
const UNSIGNED: usize = 1024;
/** @host DYNAMIC_MIDDLES */
const MIDDLES: usize = 2048;
/** @host DYNAMIC_RANKS */
const RANKS: usize = 4096;
/** @host DYNAMIC_RANKS_UNSIGNED */
const RANKS_UNSIGNED: usize = 3072;
/**
 * Upper half of the bits of 2⁻²³.
 * @host DYNAMIC_SMALLEST
 */
const SMALLEST: u32 = 0x3400;

export function adamw_8bit_workspace(width: i32): i32 {
  return 2 * width * 4;
}

/**
 * @split items of width
 * @workspace adamw_8bit_workspace(width)
 */
export function adamw_8bit(
  p: usize, g: usize, m: usize, v: usize, scaleM: usize, scaleV: usize, table: usize, n: i32, width: i32, gradScale: f64,
  lr: f64, beta1: f64, beta2: f64, eps: f64, weightDecay: f64, biasCorrection1: f64, biasCorrection2: f64, workspace: usize,
  start: i32, end: i32,
): void {
  const clip = f32x4.splat(<f32>gradScale);
  const keep = f32x4.splat(<f32>(1 - lr * weightDecay));
  const new1 = f32x4.splat(<f32>(1 - beta1));
  const old2 = f32x4.splat(<f32>beta2), new2 = f32x4.splat(<f32>(1 - beta2));
  const root2 = f32x4.splat(<f32>sqrt(biasCorrection2));
  const floor = f32x4.splat(<f32>eps);
  const step = f32x4.splat(<f32>(lr / biasCorrection1));
  const fresh2 = workspace + (<usize>width << 2);
  for (let block = start; block < end; block++) {
    const first = <usize>block * <usize>width;
    const count = min<i32>(width, n - block * width);
    const sizeM = scaleM + (<usize>block << 2), sizeV = scaleV + (<usize>block << 2);
    const oldM = f32x4.splat(load<f32>(sizeM)), oldV = f32x4.splat(load<f32>(sizeV));
    let maxM = f32x4.splat(0), maxV = f32x4.splat(0);
    let i: usize = 0;
    for (let left = count; left > 0; left -= 4, i += 4) {
      const at = (first + i) << 2;
      const d = f32x4.mul(loadPart(g + at, left), clip);
      const m0 = f32x4.mul(oldM, levels(table, codes(m + first + i, left, SIGNED_ZERO)));
      const v0 = f32x4.mul(oldV, levels(table + UNSIGNED, codes(v + first + i, left, 0)));
      const m1 = f32x4.add(m0, f32x4.mul(new1, f32x4.sub(d, m0)));
      const v1 = f32x4.add(f32x4.mul(v0, old2), f32x4.mul(f32x4.mul(new2, d), d));
      const size = f32x4.add(f32x4.div(f32x4.sqrt(v1), root2), floor);
      const moved = f32x4.div(f32x4.mul(step, m1), size);
      storePart(p + at, f32x4.sub(f32x4.mul(loadPart(p + at, left), keep), moved), left);
      v128.store(workspace + (i << 2), m1);
      v128.store(fresh2 + (i << 2), v1);
      maxM = f32x4.max(maxM, f32x4.abs(m1));
      maxV = f32x4.max(maxV, v1);
    }
    const newM = hmax(maxM), newV = hmax(maxV);
    store<f32>(sizeM, newM);
    store<f32>(sizeV, newV);
    for (let k: usize = 0; k < <usize>count; k++) {
      store<u8>(m + first + k, <u8>signedCode(table, load<f32>(workspace + (k << 2)), newM));
      store<u8>(v + first + k, <u8>unsignedCode(table, load<f32>(fresh2 + (k << 2)), newV));
    }
  }
}

/** The four codes at p as a word; those from `count` on are `zero`, so that they stand for 0. */
// @ts-ignore: decorator
@inline
function codes(p: usize, count: i32, zero: u32): u32 {
  if (count >= 4) return load<u32>(p);
  let word = zero * 0x01010100 | <u32>load<u8>(p);
  if (count > 1) word = word & 0xffff00ff | <u32>load<u8>(p, 1) << 8;
  if (count > 2) word = word & 0xff00ffff | <u32>load<u8>(p, 2) << 16;
  return word;
}

// @ts-ignore: decorator
@inline
function levels(table: usize, word: u32): v128 {
  let four = v128.load32_zero(table + (<usize>(word & 255) << 2));
  four = v128.load_lane<u32>(table + (<usize>(word >> 8 & 255) << 2), four, 1);
  four = v128.load_lane<u32>(table + (<usize>(word >> 16 & 255) << 2), four, 2);
  return v128.load_lane<u32>(table + (<usize>(word >> 24) << 2), four, 3);
}

/** How many levels above 0 the one next to x is, 0 ≤ x ≤ 1. */
// @ts-ignore: decorator
@inline
function rankOf(x: f32, middles: usize, ranks: usize): i32 {
  const key = max<i32>(0, <i32>(reinterpret<u32>(x) >> 16) - <i32>SMALLEST);
  const rank = <i32>load<u8>(ranks + <usize>key);
  return rank + <i32>(x > load<f32>(middles + (<usize>rank << 2)));
}

// @ts-ignore: decorator
@inline
function signedCode(table: usize, x: f32, largest: f32): i32 {
  if (x == 0) return SIGNED_ZERO;
  const rank = rankOf(abs<f32>(x) / largest, table + MIDDLES, table + RANKS);
  return x > 0 ? SIGNED_ZERO + rank : SIGNED_ZERO - min<i32>(rank, SIGNED_ZERO);
}

// @ts-ignore: decorator
@inline
function unsignedCode(table: usize, x: f32, largest: f32): i32 {
  if (x == 0) return 0;
  return max<i32>(1, rankOf(x / largest, table + MIDDLES + UNSIGNED, table + RANKS + RANKS_UNSIGNED));
}
