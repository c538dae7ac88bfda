import type { Reference } from "../kernels/bed.ts";

/**
 * Both forms of GELU in f64. exp turns a relative error of its argument into |argument| times as much of its result, so
 * magnitudes carry the factors 1 + |2u| and 1 + x²/2.
 */

/** φ, the density of the standard normal distribution. */
const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** Its upper tail at z ≥ 0: by the Taylor series ½ − φ·(z + z³/3 + z⁵/15 + …), beyond 3 by Laplace's continued fraction. */
function tail(z: number): number {
  if (z > 3) {
    let fraction = z;
    for (let k = 200; k > 0; k--) fraction = z + k / fraction;
    return density(z) / fraction;
  }
  let sum = 0;
  for (let term = z, k = 3; term > 1e-18; term *= (z * z) / k, k += 2) sum += term;
  return 0.5 - density(z) * sum;
}

/** Φ, the standard normal distribution, with the size of its f32 error. */
export function normal(x: number): { value: number; size: number } {
  const upper = tail(Math.abs(x));
  const size = upper * (1 + (x * x) / 2);
  return x < 0 ? { value: upper, size } : { value: 1 - upper, size: 1 - upper + size };
}

/** x·Φ(x). */
export function geluErf(x: ArrayLike<number>): Reference {
  const all = Array.from(x, normal);
  return {
    values: all.map((n, i) => x[i]! * n.value),
    magnitudes: all.map((n, i) => Math.abs(x[i]!) * n.size),
  };
}

/** The gradient of `geluErf`, added to `before`. */
export function geluErfDx(before: ArrayLike<number>, dy: ArrayLike<number>, x: ArrayLike<number>): Reference {
  const slope = (v: number) => normal(v).value + v * density(v);
  const size = (v: number) => normal(v).size + Math.abs(v) * density(v) * (1 + (v * v) / 2);
  return added(before, dy, x, slope, size);
}

const root = Math.sqrt(2 / Math.PI);
const twiceU = (x: number) => 2 * root * (x + 0.044715 * x ** 3);
const slopeOf2U = (x: number) => 2 * root * (1 + 3 * 0.044715 * x * x);
const share = (x: number) => 1 / (1 + Math.exp(-twiceU(x)));
const shareSize = (x: number) => share(x) * (1 + (1 - share(x)) * Math.abs(twiceU(x)));

/** x·(1 + tanh u) / 2 = x·sigmoid(2u). */
export function geluTanh(x: ArrayLike<number>): Reference {
  return {
    values: Array.from(x, (v) => v * share(v)),
    magnitudes: Array.from(x, (v) => Math.abs(v) * shareSize(v)),
  };
}

/** The gradient of `geluTanh`, added to `before`. In f32, 1 − s has the error of 1 where s nears 1. */
export function geluTanhDx(before: ArrayLike<number>, dy: ArrayLike<number>, x: ArrayLike<number>): Reference {
  const slope = (v: number) => share(v) + v * share(v) * (1 - share(v)) * slopeOf2U(v);
  const size = (v: number) => shareSize(v) + Math.abs(v) * slopeOf2U(v) * (shareSize(v) + share(v));
  return added(before, dy, x, slope, size);
}

function added(
  before: ArrayLike<number>,
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  slope: (x: number) => number,
  size: (x: number) => number,
): Reference {
  return {
    values: Array.from(x, (v, i) => before[i]! + dy[i]! * slope(v)),
    magnitudes: Array.from(x, (v, i) => Math.abs(before[i]!) + Math.abs(dy[i]!) * size(v)),
  };
}

/** gelu(gate)·up in the tanh form. */
export function geluGate(gate: ArrayLike<number>, up: ArrayLike<number>): Reference {
  const { values, magnitudes } = geluTanh(gate);
  return {
    values: Array.from(up, (u, i) => u * values[i]!),
    magnitudes: Array.from(up, (u, i) => Math.abs(u) * magnitudes[i]!),
  };
}

/** The gradients of `geluGate`, added to what was there before. */
export function geluGateD(
  before: { dgate: ArrayLike<number>; dup: ArrayLike<number> },
  dy: ArrayLike<number>,
  gate: ArrayLike<number>,
  up: ArrayLike<number>,
): { dgate: Reference; dup: Reference } {
  const value = geluGate(gate, dy);
  return {
    dgate: geluTanhDx(
      before.dgate,
      Array.from(dy, (d, i) => d * up[i]!),
      gate,
    ),
    dup: {
      values: Array.from(value.values, (v, i) => before.dup[i]! + v),
      magnitudes: Array.from(value.magnitudes, (v, i) => Math.abs(before.dup[i]!) + v),
    },
  };
}
