/** Sums over rows, columns or all of a matrix, on the host in f64. The summed axis stays, with size 1. */
import { ShapeError } from "../../core/errors.ts";
import type { Value } from "../../tape/tape.ts";
import { expectMatrix } from "../checks.ts";
import { scaleBy } from "../pointwise/elementwise.ts";

/** The axis that is summed away: 0 are the rows, which leaves [1, N]; 1 are the columns, which leaves [T, 1]. */
export type Axis = 0 | 1;

/** The sum of x [T, N] over an axis; over all elements, [1, 1], if none is given. */
export function sum(x: Value, axis?: Axis): Value {
  const { tape } = x;
  const { rows, columns, shape, place } = reduced("sum", x, axis);
  const y = tape.value(shape, [x]);
  if (!tape.planning) {
    const sums = new Float64Array(shape[0] * shape[1]);
    tape.memory.f32(x.ptr, rows * columns).forEach((value, i) => {
      sums[place(i)]! += value;
    });
    tape.memory.f32(y.ptr, sums.length).set(sums);
  }
  tape.record(y, [], (dy) => {
    const dx = tape.gradient(x);
    if (tape.planning) return;
    const slopes = tape.memory.f32(dy, shape[0] * shape[1]);
    const gradient = tape.memory.f32(dx, rows * columns);
    for (let i = 0; i < gradient.length; i++) gradient[i]! += slopes[place(i)]!;
  });
  return y;
}

/** The mean of x [T, N] over an axis; over all elements, [1, 1], if none is given. */
export function mean(x: Value, axis?: Axis): Value {
  const { rows, columns, shape } = reduced("mean", x, axis);
  return scaleBy(sum(x, axis), (shape[0] * shape[1]) / (rows * columns));
}

/**
 * The Euclidean norm √(Σ x²) of x [T, N] over an axis; over all elements, [1, 1], if none is given. The gradient is x / norm, and
 * 0 where the norm is 0.
 */
export function norm(x: Value, axis?: Axis): Value {
  const { tape } = x;
  const { rows, columns, shape, place } = reduced("norm", x, axis);
  const size = shape[0] * shape[1];
  const y = tape.value(shape, [x]);
  if (!tape.planning) {
    const squares = new Float64Array(size);
    tape.memory.f32(x.ptr, rows * columns).forEach((value, i) => {
      squares[place(i)]! += value * value;
    });
    tape.memory.f32(y.ptr, size).set(squares.map(Math.sqrt));
  }
  tape.record(y, [x, y], (dy) => {
    const dx = tape.gradient(x);
    if (tape.planning) return;
    const [norms, slopes] = [tape.memory.f32(y.ptr, size), tape.memory.f32(dy, size)];
    const [values, gradient] = [tape.memory.f32(x.ptr, rows * columns), tape.memory.f32(dx, rows * columns)];
    for (let i = 0; i < gradient.length; i++) {
      const at = place(i);
      if (norms[at]! > 0) gradient[i]! += (slopes[at]! * values[i]!) / norms[at]!;
    }
  });
  return y;
}

/** The shape that is left, and where each element is added. */
function reduced(name: string, x: Value, axis: Axis | undefined) {
  const [rows, columns] = expectMatrix(name, x.shape);
  if (axis !== undefined && axis !== 0 && axis !== 1) {
    throw new ShapeError(`${name}: axis ${axis} is none of a matrix, expected 0 (rows), 1 (columns) or none (all)`);
  }
  const shape: readonly [number, number] = [axis === 1 ? rows : 1, axis === 0 ? columns : 1];
  const place = (i: number) => (axis === undefined ? 0 : axis === 0 ? i % columns : Math.floor(i / columns));
  return { rows, columns, shape, place };
}
