import { ShapeError } from "./errors.ts";

/** Sizes of the axes, outermost first. `[]` is a scalar. */
export type Shape = readonly number[];

/** The number of elements: the product of the sizes, 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((size, axis) => size * axis, 1);
}

/** `[2, 768]`, as shown in messages. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** Whether both have the same axes of the same sizes. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((axis, i) => axis === b[i]);
}

/** Checks the whole shape. Throws ShapeError naming the tensor, both shapes and where the expectation came from. */
export function expectShape(what: string, got: Shape, want: Shape, because: string): void {
  if (sameShape(got, want)) return;
  throw new ShapeError(`${what}: shape ${formatShape(got)} must be ${formatShape(want)}, ${because}`);
}

/** Checks the last axis. Throws ShapeError naming the tensor, both sizes and where the expectation came from. */
export function expectLast(what: string, got: Shape, want: number, because: string): void {
  if (got.at(-1) === want) return;
  throw new ShapeError(`${what}: last axis of ${formatShape(got)} must be ${want}, ${because}`);
}
