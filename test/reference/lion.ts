import type { Reference } from "../kernels/bed.ts";

export interface LionStep {
  readonly gradScale: number;
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly weightDecay: number;
}

/** One step of Lion in f64: the new parameter and momentum. */
export function lion(
  p: ArrayLike<number>,
  g: ArrayLike<number>,
  m: ArrayLike<number>,
  { gradScale, lr, beta1, beta2, weightDecay }: LionStep,
): { p: Reference; m: Reference } {
  const d = Array.from(g, (x) => x * gradScale);
  const way = d.map((x, i) => Math.sign(beta1 * m[i]! + (1 - beta1) * x));
  return {
    p: {
      values: way.map((sign, i) => p[i]! * (1 - lr * weightDecay) - lr * sign),
      magnitudes: way.map((_, i) => Math.abs(p[i]!) + lr),
    },
    m: {
      values: d.map((x, i) => beta2 * m[i]! + (1 - beta2) * x),
      magnitudes: d.map((x, i) => Math.abs(beta2 * m[i]!) + (1 - beta2) * Math.abs(x)),
    },
  };
}
