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
