import type { Reference } from "../kernels/bed.ts";

export interface Step {
  readonly gradScale: number;
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** From 1. */
  readonly t: number;
}

/** One step of AdamW in f64: the new parameter and moments. */
export function adamw(
  p: ArrayLike<number>,
  g: ArrayLike<number>,
  m: ArrayLike<number>,
  v: ArrayLike<number>,
  { gradScale, lr, beta1, beta2, eps, weightDecay, t }: Step,
): { p: Reference; m: Reference; v: Reference } {
  const d = Array.from(g, (x) => x * gradScale);
  const m1 = d.map((x, i) => beta1 * m[i]! + (1 - beta1) * x);
  const sizeM = d.map((x, i) => Math.abs(m[i]!) + (1 - beta1) * (Math.abs(x) + Math.abs(m[i]!)));
  const v1 = d.map((x, i) => beta2 * v[i]! + (1 - beta2) * x * x);
  const rate = v1.map((x) => lr / (1 - beta1 ** t) / (Math.sqrt(x) / Math.sqrt(1 - beta2 ** t) + eps));
  return {
    p: {
      values: m1.map((x, i) => p[i]! * (1 - lr * weightDecay) - rate[i]! * x),
      magnitudes: sizeM.map((x, i) => Math.abs(p[i]!) + rate[i]! * x),
    },
    m: { values: m1, magnitudes: sizeM },
    v: { values: v1, magnitudes: v1 },
  };
}
