/** Symmetric quantization in the f32 steps of PyTorch: scale = absmax / most, q = clamp(round(x / scale)). */

/** The nearest integer, ties to even. */
export function roundEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest < 0.5 || (rest === 0.5 && down % 2 === 0) ? down : down + 1;
}

export function absmax(x: ArrayLike<number>): number {
  return Array.from(x).reduce((most, v) => Math.max(most, Math.abs(v)), 0);
}

export function scaleOf(most: number, limit: number): number {
  return Math.fround(most / limit);
}

export function toInt8(x: number, scale: number): number {
  if (scale === 0) return 0;
  return Math.max(-127, Math.min(127, roundEven(Math.fround(x / scale)))) + 0;
}
