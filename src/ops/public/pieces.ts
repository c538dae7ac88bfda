/** Matrices put together and taken apart. */
import { ShapeError } from "../../core/errors.ts";
import { formatShape } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { expectIndices, expectMatrix } from "../checks.ts";
import { gatherRows } from "../embed/embedding.ts";
import { concatenateColumns, sliceColumns } from "../layout/columns.ts";
import { concatenateRows, sliceRows } from "../layout/rows.ts";

/** Matrices one below the other (axis 0, equal columns) or side by side (axis 1, equal rows). */
export function concat(values: readonly Value[], axis: 0 | 1 = 0): Value {
  if (values.length === 0) throw new ShapeError("concat: no Value was given, expected at least one");
  const first = values[0]!.shape;
  expectAxis("concat", axis);
  for (const { shape } of values) {
    expectMatrix("concat", shape);
    if (shape[1 - axis] === first[1 - axis]) continue;
    const equal = axis === 0 ? "columns" : "rows";
    throw new ShapeError(`concat: ${formatShape(first)} and ${formatShape(shape)} must have equally many ${equal}`);
  }
  return axis === 0 ? concatenateRows(values) : concatenateColumns(values);
}

/** Rows (axis 0) or columns (axis 1) `start` to `end` (exclusive) of x [T, N]. */
export function slice(x: Value, start: number, end: number, axis: 0 | 1 = 0): Value {
  expectAxis("slice", axis);
  const size = expectMatrix("slice", x.shape)[axis];
  if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || start > end || end > size) {
    const what = axis === 0 ? "rows" : "columns";
    throw new ShapeError(`slice: ${start} to ${end} is not a range of the ${size} ${what} of ${formatShape(x.shape)}`);
  }
  return axis === 0 ? sliceRows(x, [{ start, end }]) : sliceColumns(x, start, end);
}

/** The given rows of x [T, N], in their order and as often as they are named: [rows, N]. */
export function indexSelect(x: Value, rows: ArrayLike<number>): Value {
  const { tape } = x;
  const [count] = expectMatrix("indexSelect", x.shape);
  expectIndices("indexSelect: rows", rows, count);
  return gatherRows(x, tape.ids(Int32Array.from(rows)));
}

function expectAxis(name: string, axis: number): void {
  if (axis === 0 || axis === 1) return;
  throw new ShapeError(`${name}: axis ${axis} is none of a matrix, expected 0 (rows) or 1 (columns)`);
}
