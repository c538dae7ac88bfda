/**
 * One step of stochastic gradient descent with momentum in the order of torch.optim.SGD, each operation rounded to f32:
 *
 *   g ← gradScale·g + weightDecay·p (not stored)
 *   b ← momentum·b + gain·g                 gain = 1 − dampening, and 1 at the first step, when b is 0
 *   p ← p − lr·b                            nesterov:  p ← p − lr·(g + momentum·b)
 *
 * p, g, b: parameter, gradient, momentum buffer; b = 0 is no momentum, then p ← p − lr·g. Nothing is fused, so all builds
 * give the same bits. start, end: element range.
 */
import { loadFourOrOne, storeFourOrOne } from "../simd/part";

/** @split items */
export function sgd_f32(
  p: usize, g: usize, b: usize, gradScale: f64, lr: f64, momentum: f64, gain: f64, weightDecay: f64, nesterov: bool,
  start: i32, end: i32,
): void {
  const clip = f32x4.splat(<f32>gradScale);
  const decay = f32x4.splat(<f32>weightDecay);
  const old = f32x4.splat(<f32>momentum), fresh = f32x4.splat(<f32>gain);
  const rate = f32x4.splat(<f32>lr);
  let i: usize = <usize>start << 2;
  const stop: usize = <usize>end << 2;
  while (i < stop) {
    const four = stop - i > 15;
    const p0 = loadFourOrOne(p + i, four);
    let d = f32x4.add(f32x4.mul(loadFourOrOne(g + i, four), clip), f32x4.mul(decay, p0));
    if (b != 0) {
      const b1 = f32x4.add(f32x4.mul(loadFourOrOne(b + i, four), old), f32x4.mul(fresh, d));
      storeFourOrOne(b + i, b1, four);
      d = nesterov ? f32x4.add(d, f32x4.mul(old, b1)) : b1;
    }
    storeFourOrOne(p + i, f32x4.sub(p0, f32x4.mul(rate, d)), four);
    i += four ? 16 : 4;
  }
}
