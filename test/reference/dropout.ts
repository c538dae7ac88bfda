import { philox4x32 } from "../../src/core/random/philox.ts";
import type { Reference } from "../kernels/bed.ts";

export interface Mask {
  /** Probability of being zeroed, an f32 number. */
  readonly p: number;
  /** Low and high word. */
  readonly seed: readonly [number, number];
  readonly stream: number;
}

/** 1 / (1 − p) where element e is kept, 0 elsewhere: from the generator of src/core/, which has tests of its own. */
export function maskFactors(count: number, { p, seed, stream }: Mask): number[] {
  const least = Math.floor(p * 2 ** 32);
  return Array.from({ length: count }, (_, e) => {
    const word = philox4x32([e >>> 2, 0, stream, 0], seed)[(e & 3) as 0 | 1 | 2 | 3];
    return word >= least ? 1 / (1 - p) : 0;
  });
}

/** `before` plus x times the mask: with dy in place of x, the gradient. */
export function dropout(before: ArrayLike<number>, x: ArrayLike<number>, mask: Mask): Reference {
  const terms = maskFactors(x.length, mask).map((f, e) => f * x[e]!);
  return {
    values: terms.map((v, e) => before[e]! + v),
    magnitudes: terms.map((v, e) => Math.abs(before[e]!) + Math.abs(v)),
  };
}
