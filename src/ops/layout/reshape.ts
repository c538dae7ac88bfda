import { ShapeError } from "../../core/errors.ts";
import { formatShape, type Shape, sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";

/** The numbers of x in another shape of the same size, row by row. */
export function reshape(x: Value, shape: Shape): Value {
  const { tape } = x;
  const size = sizeOf(x.shape);
  if (sizeOf(shape) !== size) {
    throw new ShapeError(`${formatShape(x.shape)} cannot become ${formatShape(shape)}: the sizes differ`);
  }
  const y = tape.value(shape, [x]);
  tape.copy(y.ptr, x.ptr, size * 4);
  tape.record(y, [], (dy) => tape.addGradient(x, dy));
  return y;
}
