import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";

/**
 * Zeroes each element with probability p and divides the rest by 1 − p; the identity outside training (Srivastava et al.
 * 2014). With p = 1 nothing is left, and no gradient either. The mask comes from Philox 4x32-10 at (element, op), so the backward pass computes it again instead of keeping it.
 */
export function dropout(x: Value, p: number): Value {
  const { tape } = x;
  if (!tape.training || p === 0) return x;
  const size = sizeOf(x.shape);
  const [low, high] = tape.seed;
  const stream = tape.nextStream();
  if (p === 1) {
    const nothing = tape.value(x.shape, []);
    if (!tape.planning) tape.memory.f32(nothing.ptr, size).fill(0);
    return nothing;
  }
  const y = tape.value(x.shape, [x]);
  tape.kernels.dropout_f32(y.ptr, x.ptr, p, low, high, stream, 0, size);
  tape.record(y, [], (dy) => tape.kernels.dropout_f32_dx(tape.gradient(x), dy, p, low, high, stream, 0, size));
  return y;
}
