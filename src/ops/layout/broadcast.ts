import { ShapeError } from "../../core/errors.ts";
import { formatShape, type Shape, sameShape, sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { expectMatrix } from "../checks.ts";

/**
 * The common shape of two operands, by the rule of NumPy: an axis of size 1 is repeated. Throws ShapeError naming `what` and both
 * shapes.
 */
export function commonShape(what: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a;
  const axes = a.map((size, axis) => (size === 1 ? b[axis]! : size));
  if (a.length === 2 && b.length === 2 && b.every((size, axis) => size === 1 || size === axes[axis])) return axes;
  throw new ShapeError(
    `${what}: shapes ${formatShape(a)} and ${formatShape(b)} do not fit, expected the same shape, or 1 row or 1 column to repeat`,
  );
}

/** x [T, N], [1, N], [T, 1] or [1, 1] with its only row or column repeated: [T, N]. On the host. */
export function broadcast(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const [rows, columns] = expectMatrix("broadcast", x.shape);
  if (!sameShape(commonShape("broadcast", x.shape, shape), shape)) {
    throw new ShapeError(`broadcast: ${formatShape(x.shape)} does not become ${formatShape(shape)}`);
  }
  const { tape } = x;
  const size = sizeOf(shape);
  const wide = shape[1]!;
  const place = (i: number) => (rows === 1 ? 0 : Math.floor(i / wide) * columns) + (columns === 1 ? 0 : i % wide);
  const y = tape.value(shape, [x]);
  if (!tape.planning) {
    const [from, to] = [tape.memory.f32(x.ptr, rows * columns), tape.memory.f32(y.ptr, size)];
    for (let i = 0; i < size; i++) to[i] = from[place(i)]!;
  }
  tape.record(y, [], (dy) => {
    const dx = tape.gradient(x);
    if (tape.planning) return;
    const sums = Float64Array.from(tape.memory.f32(dx, rows * columns));
    const slopes = tape.memory.f32(dy, size);
    for (let i = 0; i < size; i++) sums[place(i)]! += slopes[i]!;
    tape.memory.f32(dx, rows * columns).set(sums);
  });
  return y;
}
