/**
 * One step of Lion (Chen et al. 2023, algorithm 2), each operation rounded to f32:
 *
 *   g ← gradScale·g (not stored)
 *   p ← p·(1 − lr·weightDecay) − lr·sign(beta1·m + (1 − beta1)·g)
 *   m ← beta2·m + (1 − beta2)·g
 *
 * p, g, m: parameter, gradient, momentum; sign(0) = 0. Nothing is fused, so all builds give the same bits. start, end:
 * element range.
 */
import { loadFourOrOne, storeFourOrOne } from "../simd/part";

/** @split items */
export function lion_f32(
  p: usize, g: usize, m: usize, gradScale: f64, lr: f64, beta1: f64, beta2: f64, weightDecay: f64,
  start: i32, end: i32,
): void {
  const clip = f32x4.splat(<f32>gradScale);
  const keep = f32x4.splat(<f32>(1 - lr * weightDecay));
  const old1 = f32x4.splat(<f32>beta1), new1 = f32x4.splat(<f32>(1 - beta1));
  const old2 = f32x4.splat(<f32>beta2), new2 = f32x4.splat(<f32>(1 - beta2));
  const up = f32x4.splat(<f32>lr), down = f32x4.splat(<f32>-lr);
  const zero = f32x4.splat(0);
  let i: usize = <usize>start << 2;
  const stop: usize = <usize>end << 2;
  while (i < stop) {
    const four = stop - i > 15;
    const d = f32x4.mul(loadFourOrOne(g + i, four), clip);
    const m0 = loadFourOrOne(m + i, four);
    const c = f32x4.add(f32x4.mul(m0, old1), f32x4.mul(new1, d));
    const moved = v128.or(v128.and(f32x4.gt(c, zero), up), v128.and(f32x4.lt(c, zero), down));
    storeFourOrOne(p + i, f32x4.sub(f32x4.mul(loadFourOrOne(p + i, four), keep), moved), four);
    storeFourOrOne(m + i, f32x4.add(f32x4.mul(m0, old2), f32x4.mul(new2, d)), four);
    i += four ? 16 : 4;
  }
}
