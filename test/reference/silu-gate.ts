import type { Reference } from "../kernels/bed.ts";

const sigmoid = (g: number) => 1 / (1 + Math.exp(-g));

/** gate·sigmoid(gate)·up in f64. */
export function siluGate(gate: ArrayLike<number>, up: ArrayLike<number>): Reference {
  const values = Array.from(gate, (g, i) => g * sigmoid(g) * up[i]!);
  return { values, magnitudes: values.map(Math.abs) };
}

/**
 * The gradients of `siluGate`, added to what was there before. The f32 slope s·(1 + g·(1 − s)) cancels where s nears 1, so
 * its error is that of s·(1 + |g|).
 */
export function siluGateD(
  before: { dgate: ArrayLike<number>; dup: ArrayLike<number> },
  dy: ArrayLike<number>,
  gate: ArrayLike<number>,
  up: ArrayLike<number>,
): { dgate: Reference; dup: Reference } {
  const all = Array.from(gate, (g, i) => {
    const s = sigmoid(g);
    const d = dy[i]! * up[i]!;
    return { dgate: d * s * (1 + g * (1 - s)), size: Math.abs(d) * s * (1 + Math.abs(g)), dup: dy[i]! * g * s };
  });
  return {
    dgate: {
      values: all.map((a, i) => before.dgate[i]! + a.dgate),
      magnitudes: all.map((a, i) => Math.abs(before.dgate[i]!) + a.size),
    },
    dup: {
      values: all.map((a, i) => before.dup[i]! + a.dup),
      magnitudes: all.map((a, i) => Math.abs(before.dup[i]!) + Math.abs(a.dup)),
    },
  };
}
