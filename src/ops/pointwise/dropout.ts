import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { columnsOf, rowsOf } from "../checks.ts";

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
  const first = tape.rowsBefore(rowsOf(x.shape)) * columnsOf(x.shape);
  const mask = [p, low, high, stream, first, first + size] as const;
  tape.kernels.dropout_f32(y.ptr - 4 * first, x.ptr - 4 * first, ...mask);
  tape.record(y, [], (dy) => tape.kernels.dropout_f32_dx(tape.gradient(x) - 4 * first, dy - 4 * first, ...mask));
  return y;
}
