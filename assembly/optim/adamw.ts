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
import { loadPart, storePart } from "../simd/part";

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
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const d = f32x4.mul(loadPart(g + i, left), clip);
    const m0 = loadPart(m + i, left);
    const m1 = f32x4.add(m0, f32x4.mul(new1, f32x4.sub(d, m0)));
    const v1 = f32x4.add(f32x4.mul(loadPart(v + i, left), old2), f32x4.mul(f32x4.mul(new2, d), d));
    const size = f32x4.add(f32x4.div(f32x4.sqrt(v1), root2), floor);
    const moved = f32x4.div(f32x4.mul(step, m1), size);
    storePart(m + i, m1, left);
    storePart(v + i, v1, left);
    storePart(p + i, f32x4.sub(f32x4.mul(loadPart(p + i, left), keep), moved), left);
  }
}
