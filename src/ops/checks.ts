import { ShapeError } from "../core/errors.ts";
import { formatShape, type Shape, sameShape } from "../core/shape.ts";

/** Throws ShapeError unless both shapes are equal. */
export function expectSame(what: string, a: Shape, b: Shape): void {
  if (sameShape(a, b)) return;
  throw new ShapeError(`${what} must have the same shape, found ${formatShape(a)} and ${formatShape(b)}`);
}

/** Rows of an activation [T, D]: its tokens. */
export function rowsOf(shape: Shape): number {
  return shape[0]!;
}

/** Columns of an activation [T, D]: its features. */
export function columnsOf(shape: Shape): number {
  return shape[1]!;
}

/** The rows and columns of a matrix. Throws ShapeError naming `what` for any other shape. */
export function expectMatrix(what: string, shape: Shape): [rows: number, columns: number] {
  const [rows, columns] = shape;
  if (shape.length === 2) return [rows!, columns!];
  throw new ShapeError(`${what}: expected a matrix [rows, columns], found shape ${formatShape(shape)}`);
}

/** Throws ShapeError unless `given` is one number for each of `count` things, such as "rows". */
export function expectOneEach(what: string, given: ArrayLike<number>, count: number, things: string): void {
  if (given.length === count) return;
  throw new ShapeError(`${what}: ${given.length} were given, expected one for each of ${count} ${things}`);
}

/** Throws ShapeError unless all are whole numbers from 0 up to, but not including, `end`. */
export function expectIndices(what: string, indices: ArrayLike<number>, end: number): void {
  const at = Array.from(indices).findIndex((index) => !Number.isInteger(index) || index < 0 || index >= end);
  if (at < 0) return;
  throw new ShapeError(`${what}: ${indices[at]} at position ${at} must be a whole number from 0 to ${end - 1}`);
}
