import type { Reference } from "../kernels/bed.ts";

export interface SgdStep {
  readonly gradScale: number;
  readonly lr: number;
  readonly momentum: number;
  readonly gain: number;
  readonly weightDecay: number;
  readonly nesterov: boolean;
}

/** One step of SGD in f64: the new parameter and momentum buffer. `b` null is no momentum. */
export function sgd(
  p: ArrayLike<number>,
  g: ArrayLike<number>,
  b: ArrayLike<number> | null,
  { gradScale, lr, momentum, gain, weightDecay, nesterov }: SgdStep,
): { p: Reference; b: Reference } {
  const d = Array.from(g, (x, i) => x * gradScale + weightDecay * p[i]!);
  const sizeD = Array.from(g, (x, i) => Math.abs(x * gradScale) + Math.abs(weightDecay * p[i]!));
  const b1 = d.map((x, i) => (b === null ? x : momentum * b[i]! + gain * x));
  const sizeB = sizeD.map((x, i) => (b === null ? x : Math.abs(momentum * b[i]!) + gain * x));
  const step = (x: number, x1: number) => (nesterov ? x + momentum * x1 : x1);
  return {
    p: {
      values: d.map((x, i) => p[i]! - lr * step(x, b1[i]!)),
      magnitudes: sizeD.map((x, i) => Math.abs(p[i]!) + lr * step(x, sizeB[i]!)),
    },
    b: { values: b1, magnitudes: sizeB },
  };
}
