import type { Reference } from "../kernels/bed.ts";

/** An activation in f64 with its slope, which `from` says to take at x or at y, and the sizes that their f32 errors go by. */
export interface ActivationReference {
  from: "x" | "y";
  value: (x: number) => number;
  slope: (at: number) => number;
  slopeSize: (at: number) => number;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const leak = 0.25;

export const activations: Record<"relu" | "leaky_relu" | "tanh" | "sigmoid" | "silu", ActivationReference> = {
  relu: {
    from: "y",
    value: (x) => (x > 0 ? x : 0 * x),
    slope: (y) => (y > 0 ? 1 : 0),
    slopeSize: (y) => (y > 0 ? 1 : 0),
  },
  leaky_relu: {
    from: "y",
    value: (x) => (x > 0 ? x : leak * x),
    slope: (y) => (y > 0 ? 1 : leak),
    slopeSize: (y) => (y > 0 ? 1 : leak),
  },
  tanh: { from: "y", value: Math.tanh, slope: (y) => 1 - y * y, slopeSize: (y) => 1 + y * y },
  sigmoid: { from: "y", value: sigmoid, slope: (y) => y * (1 - y), slopeSize: (y) => y * (1 - y) },
  // In f32 the slope s·(1 + x·(1 − s)) cancels where s nears 1.
  silu: {
    from: "x",
    value: (x) => x * sigmoid(x),
    slope: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
    slopeSize: (x) => sigmoid(x) * (1 + Math.abs(x)),
  },
};

/** The slope of leaky_relu below 0 that the references have. */
export const leakySlope = leak;

/** The activation of every x. */
export function activated({ value }: ActivationReference, x: ArrayLike<number>): Reference {
  const values = Array.from(x, value);
  return { values, magnitudes: values.map(Math.abs) };
}

/** The gradient added to `before`; `at` is x or y, whichever the slope is taken from. */
export function activatedDx(
  { slope, slopeSize }: ActivationReference,
  before: ArrayLike<number>,
  dy: ArrayLike<number>,
  at: ArrayLike<number>,
): Reference {
  return {
    values: Array.from(at, (v, i) => before[i]! + dy[i]! * slope(v)),
    magnitudes: Array.from(at, (v, i) => Math.abs(before[i]!) + Math.abs(dy[i]!) * slopeSize(v)),
  };
}
