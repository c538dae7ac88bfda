import { ShapeError } from "../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import type { Tape, Value } from "../tape/tape.ts";

/**
 * Numbers of the host as a Value without a gradient, row by row. Throws ShapeError unless there are as many as `shape` says.
 *
 * @example
 * const rewards = ops.constant(tape, [0.5, -1], [2, 1]);
 */
export function constant(tape: Tape, data: ArrayLike<number>, shape: Shape): Value {
  if (data.length !== sizeOf(shape)) {
    throw new ShapeError(`constant: ${data.length} numbers for shape ${formatShape(shape)}, expected ${sizeOf(shape)}`);
  }
  const x = tape.value(shape);
  if (!tape.planning) tape.memory.f32(x.ptr, data.length).set(data);
  return x;
}

/** The numbers of x without its gradient: nothing before it is trained through this Value. */
export function stopGradient(x: Value): Value {
  const { tape } = x;
  const y = tape.value(x.shape);
  tape.copy(y.ptr, x.ptr, sizeOf(x.shape) * 4);
  return y;
}
