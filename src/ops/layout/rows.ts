/**
 * Rearranged rows of activations. All except the mean are one operation: a Value made of pieces of others, whose
 * gradient goes back piece by piece.
 */
import { ShapeError } from "../../core/errors.ts";
import { expectLast } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { columnsOf, rowsOf } from "../checks.ts";

/** Rows `start` to `end` (exclusive). */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

interface Piece extends RowRange {
  readonly from: Value;
}

const whole = (from: Value): Piece => ({ from, start: 0, end: rowsOf(from.shape) });

/** All rows of the first, then of the second, and so on; at least one Value. [Σ T, D] */
export function concatenateRows(values: readonly Value[]): Value {
  return assemble(values[0]!, values.map(whole));
}

/** The rows of x [T, D] in `ranges`, one range after the other. They may overlap. */
export function sliceRows(x: Value, ranges: readonly RowRange[]): Value {
  return assemble(
    x,
    ranges.map((range) => ({ ...range, from: x })),
  );
}

/** x [T, D] with the rows in `ranges`, which ascend and do not overlap, replaced by those of y in order. */
export function replaceRows(x: Value, ranges: readonly RowRange[], y: Value): Value {
  const pieces: Piece[] = [];
  let row = 0;
  let used = 0;
  for (const { start, end } of ranges) {
    pieces.push({ from: x, start: row, end: start }, { from: y, start: used, end: used + end - start });
    row = end;
    used += end - start;
  }
  if (used !== rowsOf(y.shape)) {
    throw new ShapeError(`replaceRows: the ranges hold ${used} rows, but ${rowsOf(y.shape)} rows are given`);
  }
  return assemble(x, [...pieces, { from: x, start: row, end: rowsOf(x.shape) }]);
}

/**
 * x [T, D] with rows put before each of its sequences, of which sequence s is rows starts[s] to starts[s + 1]. `inserted`
 * holds [n, D] for each sequence, where n may differ, or null for none; one Value may serve many and gets the sum of
 * the gradients.
 */
export function insertRows(x: Value, starts: Int32Array, inserted: readonly (Value | null)[]): Value {
  if (inserted.length !== starts.length - 1) {
    throw new ShapeError(`insertRows: rows for ${inserted.length} sequences, but there are ${starts.length - 1}`);
  }
  return assemble(
    x,
    inserted.flatMap((rows, s) => {
      const sequence = { from: x, start: starts[s]!, end: starts[s + 1]! };
      return rows === null ? [sequence] : [whole(rows), sequence];
    }),
  );
}

/** The mean row of each sequence of x [T, D]: [sequences, D]. Zeros for a sequence without rows. */
export function meanRows(x: Value, starts: Int32Array): Value {
  const { tape } = x;
  const width = columnsOf(x.shape);
  const sequences = Array.from(starts.subarray(1), (end, s) => ({ start: starts[s]!, rows: end - starts[s]! }));
  const y = tape.value([sequences.length, width], [x]);
  tape.fill(y.ptr, sequences.length * width, 0);
  sequences.forEach(({ start, rows }, s) => {
    const mean = addressOf(y.ptr, s, width);
    tape.kernels.column_sum_f32(mean, addressOf(x.ptr, start, width), rows, width, width, 0, width);
    tape.kernels.scale_f32(mean, 1 / Math.max(rows, 1), 0, width);
  });
  tape.record(y, [], (dy) => {
    const dx = tape.gradient(x);
    sequences.forEach(({ start, rows }, s) => {
      const share = addressOf(dy, s, width);
      tape.kernels.scale_f32(share, 1 / Math.max(rows, 1), 0, width);
      tape.kernels.add_columns_f32(addressOf(dx, start, width), share, width, 0, rows);
    });
  });
  return y;
}

/** The pieces one below the other; `like` says how wide they must be. */
function assemble(like: Value, pieces: readonly Piece[]): Value {
  const { tape } = like;
  const width = columnsOf(like.shape);
  for (const { from, start, end } of pieces) {
    expectLast("rows to concatenate", from.shape, width, "the width of the first");
    if (start < 0 || start > end || end > rowsOf(from.shape)) {
      throw new ShapeError(`rows ${start} to ${end} are not a range of the ${rowsOf(from.shape)} rows`);
    }
  }
  const total = pieces.reduce((sum, { start, end }) => sum + end - start, 0);
  const y = tape.value(
    [total, width],
    pieces.map(({ from }) => from),
  );
  const eachPiece = (ptr: Ptr, visit: (piece: Piece, at: Ptr, size: number) => void) => {
    let row = 0;
    for (const piece of pieces) {
      const rows = piece.end - piece.start;
      if (rows > 0) visit(piece, addressOf(ptr, row, width), rows * width);
      row += rows;
    }
  };
  eachPiece(y.ptr, ({ from, start }, at, size) => tape.copy(at, addressOf(from.ptr, start, width), size * 4));
  tape.record(y, [], (dy) => {
    eachPiece(dy, ({ from, start }, at, size) => {
      if (!from.needsGrad) return;
      const gradient = addressOf(tape.gradient(from), start, width);
      tape.kernels.add_f32(gradient, gradient, at, 0, size);
    });
  });
  return y;
}

const addressOf = (ptr: Ptr, row: number, width: number): Ptr => (ptr + row * width * 4) as Ptr;
