/**
 * The SIMD peak: the rate of multiply-add that this build and engine reach from registers alone, without loads or stores.
 * The matmuls are measured against it.
 *
 * Twelve independent chains c = c·x + y, each advanced twice per iteration: 12 · 2 · 4 lanes · 2 = 192 floating-point
 * operations. x and y come from an argument, since constants would be loaded anew for every use. Fused, this fills the
 * multiply-add units. Multiply-then-add waits a little for its own results: on AMD Zen 4, whose two multipliers and two
 * adders could do 16 operations a cycle, it stands at 0.85 of that, and more chains spill.
 */
import { hsum, madd } from "../simd/lanes";

/**
 * Floating-point operations of one of the `count` turns.
 * @host PEAK_FLOPS
 */
const FLOPS: i32 = 192;

/**
 * Advances the chains `count` times for each of out[start..end] and leaves a number made of all of them there, so that none is
 * dead code. seed: near 0.5, where the chains stay finite.
 * @split items of count
 */
export function simd_peak(out: usize, count: i32, seed: f32, start: i32, end: i32): void {
  for (let i = start; i < end; i++) store<f32>(out + (<usize>i << 2), advance(count, seed));
}

function advance(count: i32, seed: f32): f32 {
  const x = f32x4.splat(seed), y = f32x4.splat(seed + seed);
  let c0 = f32x4.splat(0), c1 = f32x4.splat(1), c2 = f32x4.splat(2), c3 = f32x4.splat(3), c4 = f32x4.splat(4), c5 = f32x4.splat(5);
  let c6 = f32x4.splat(6), c7 = f32x4.splat(7), c8 = f32x4.splat(8), c9 = f32x4.splat(9), c10 = f32x4.splat(10), c11 = f32x4.splat(11);
  for (let i = 0; i < count; i++) {
    c0 = madd(c0, x, y), c1 = madd(c1, x, y), c2 = madd(c2, x, y);
    c3 = madd(c3, x, y), c4 = madd(c4, x, y), c5 = madd(c5, x, y);
    c6 = madd(c6, x, y), c7 = madd(c7, x, y), c8 = madd(c8, x, y);
    c9 = madd(c9, x, y), c10 = madd(c10, x, y), c11 = madd(c11, x, y);
    c0 = madd(c0, x, y), c1 = madd(c1, x, y), c2 = madd(c2, x, y);
    c3 = madd(c3, x, y), c4 = madd(c4, x, y), c5 = madd(c5, x, y);
    c6 = madd(c6, x, y), c7 = madd(c7, x, y), c8 = madd(c8, x, y);
    c9 = madd(c9, x, y), c10 = madd(c10, x, y), c11 = madd(c11, x, y);
  }
  const sum0 = f32x4.add(f32x4.add(f32x4.add(f32x4.add(f32x4.add(c0, c1), c2), c3), c4), c5);
  const sum1 = f32x4.add(f32x4.add(f32x4.add(f32x4.add(f32x4.add(c6, c7), c8), c9), c10), c11);
  return hsum(f32x4.add(sum0, sum1));
}

/**
 * Floating-point operations of one of the `count` turns.
 * @host PEAK_PAIRS_FLOPS
 */
const PAIRS_FLOPS: i32 = 192;

/**
 * The same with twelve chains of two vectors, which run out of registers unless the engine merges each pair into one: then this is the
 * peak of the wide build. Leaves twelve pairs at out + 96·i floats for i in start..end; nothing in the other builds.
 * @split items of count
 */
export function simd_peak_pairs(out: usize, count: i32, seed: f32, start: i32, end: i32): void {
  if (WIDE) for (let i = start; i < end; i++) advancePairs(out + <usize>i * 384, count, seed);
}

function advancePairs(out: usize, count: i32, seed: f32): void {
  const x = f32x4.splat(seed), y = f32x4.splat(seed + seed);
  let c0 = f32x4.splat(0), d0 = f32x4.splat(0);
  let c1 = f32x4.splat(1), d1 = f32x4.splat(1);
  let c2 = f32x4.splat(2), d2 = f32x4.splat(2);
  let c3 = f32x4.splat(3), d3 = f32x4.splat(3);
  let c4 = f32x4.splat(4), d4 = f32x4.splat(4);
  let c5 = f32x4.splat(5), d5 = f32x4.splat(5);
  let c6 = f32x4.splat(6), d6 = f32x4.splat(6);
  let c7 = f32x4.splat(7), d7 = f32x4.splat(7);
  let c8 = f32x4.splat(8), d8 = f32x4.splat(8);
  let c9 = f32x4.splat(9), d9 = f32x4.splat(9);
  let c10 = f32x4.splat(10), d10 = f32x4.splat(10);
  let c11 = f32x4.splat(11), d11 = f32x4.splat(11);
  for (let i = 0; i < count; i++) {
    c0 = madd(c0, x, y), d0 = madd(d0, x, y);
    c1 = madd(c1, x, y), d1 = madd(d1, x, y);
    c2 = madd(c2, x, y), d2 = madd(d2, x, y);
    c3 = madd(c3, x, y), d3 = madd(d3, x, y);
    c4 = madd(c4, x, y), d4 = madd(d4, x, y);
    c5 = madd(c5, x, y), d5 = madd(d5, x, y);
    c6 = madd(c6, x, y), d6 = madd(d6, x, y);
    c7 = madd(c7, x, y), d7 = madd(d7, x, y);
    c8 = madd(c8, x, y), d8 = madd(d8, x, y);
    c9 = madd(c9, x, y), d9 = madd(d9, x, y);
    c10 = madd(c10, x, y), d10 = madd(d10, x, y);
    c11 = madd(c11, x, y), d11 = madd(d11, x, y);
  }
  v128.store(out, c0, 0), v128.store(out, d0, 16);
  v128.store(out, c1, 32), v128.store(out, d1, 48);
  v128.store(out, c2, 64), v128.store(out, d2, 80);
  v128.store(out, c3, 96), v128.store(out, d3, 112);
  v128.store(out, c4, 128), v128.store(out, d4, 144);
  v128.store(out, c5, 160), v128.store(out, d5, 176);
  v128.store(out, c6, 192), v128.store(out, d6, 208);
  v128.store(out, c7, 224), v128.store(out, d7, 240);
  v128.store(out, c8, 256), v128.store(out, d8, 272);
  v128.store(out, c9, 288), v128.store(out, d9, 304);
  v128.store(out, c10, 320), v128.store(out, d10, 336);
  v128.store(out, c11, 352), v128.store(out, d11, 368);
}
