/**
 * One step of AdamW (Loshchilov and Hutter 2019) in the order of torch.optim.AdamW, each operation rounded to f32:
 *
 *   g ← gradScale·g (not stored)      p ← p·(1 − lr·weightDecay)
 *   m ← m + (1 − beta1)·(g − m)       v ← v·beta2 + (1 − beta2)·g·g
 *   p ← p − (lr / biasCorrection1)·m / (√v / √biasCorrection2 + eps)
 *
 * p, g, m, v: parameter, gradient, first and second moment. biasCorrection1 = 1 − beta1ᵗ, biasCorrection2 = 1 − beta2ᵗ
 * at step t = 1, 2, … Scalars are combined in f64 and rounded once, as torch does. Multiplications and additions are
 * not fused, so all builds give the same bits (torch fuses some: a unit in the last place). start, end: element range.
 */
import { loadFourOrOne, storeFourOrOne } from "../simd/part";

/** @split items */
export function adamw_f32(
  p: usize, g: usize, m: usize, v: usize, gradScale: f64, lr: f64, beta1: f64, beta2: f64, eps: f64, weightDecay: f64,
  biasCorrection1: f64, biasCorrection2: f64, start: i32, end: i32,
): void {
  const clip = f32x4.splat(<f32>gradScale);
  const keep = f32x4.splat(<f32>(1 - lr * weightDecay));
  const new1 = f32x4.splat(<f32>(1 - beta1));
  const old2 = f32x4.splat(<f32>beta2), new2 = f32x4.splat(<f32>(1 - beta2));
  const root2 = f32x4.splat(<f32>sqrt(biasCorrection2));
  const floor = f32x4.splat(<f32>eps);
  const step = f32x4.splat(<f32>(lr / biasCorrection1));
  let i: usize = <usize>start << 2;
  const stop: usize = <usize>end << 2;
  if (WIDE) {
    for (const whole = i + ((stop - i) & ~31); i < whole; i += 32) {
      const d = f32x4.mul(v128.load(g + i), clip), e = f32x4.mul(v128.load(g + i, 16), clip);
      const m1 = first(v128.load(m + i), d, new1), n1 = first(v128.load(m + i, 16), e, new1);
      const v1 = second(v128.load(v + i), d, old2, new2), w1 = second(v128.load(v + i, 16), e, old2, new2);
      const p1 = moved(v128.load(p + i), m1, v1, keep, step, root2, floor);
      const q1 = moved(v128.load(p + i, 16), n1, w1, keep, step, root2, floor);
      v128.store(m + i, m1), v128.store(m + i, n1, 16);
      v128.store(v + i, v1), v128.store(v + i, w1, 16);
      v128.store(p + i, p1), v128.store(p + i, q1, 16);
    }
  }
  while (i < stop) {
    const four = stop - i > 15;
    const d = f32x4.mul(loadFourOrOne(g + i, four), clip);
    const m1 = first(loadFourOrOne(m + i, four), d, new1);
    const v1 = second(loadFourOrOne(v + i, four), d, old2, new2);
    storeFourOrOne(m + i, m1, four);
    storeFourOrOne(v + i, v1, four);
    storeFourOrOne(p + i, moved(loadFourOrOne(p + i, four), m1, v1, keep, step, root2, floor), four);
    i += four ? 16 : 4;
  }
}

// @ts-ignore: decorator
@inline
function first(m: v128, d: v128, new1: v128): v128 {
  return f32x4.add(m, f32x4.mul(new1, f32x4.sub(d, m)));
}

// @ts-ignore: decorator
@inline
function second(v: v128, d: v128, old2: v128, new2: v128): v128 {
  return f32x4.add(f32x4.mul(v, old2), f32x4.mul(f32x4.mul(new2, d), d));
}

// @ts-ignore: decorator
@inline
function moved(p: v128, m: v128, v: v128, keep: v128, step: v128, root2: v128, floor: v128): v128 {
  const size = f32x4.add(f32x4.div(f32x4.sqrt(v), root2), floor);
  return f32x4.sub(f32x4.mul(p, keep), f32x4.div(f32x4.mul(step, m), size));
}
