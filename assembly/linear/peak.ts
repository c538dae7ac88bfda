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
