import { ShapeError } from "../../core/errors.ts";
import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { isTrained, type Weight } from "../../tensor/tensor.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { columnsOf, rowsOf } from "../checks.ts";

/** y = x·diag(c): each column of x [T, N] times its own factor, c a Value [1, N]. */
export function scaleColumns(x: Value, c: Value): Value {
  const { tape } = x;
  const rows = rowsOf(x.shape);
  const columns = columnsOf(x.shape);
  const y = tape.value(x.shape, [x, c]);
  tape.kernels.scale_columns_f32(y.ptr, x.ptr, c.ptr, columns, 0, rows);
  tape.record(y, [c, ...(c.needsGrad ? [x] : [])], (dy) => {
    if (x.needsGrad) tape.kernels.scale_columns_f32_dx(tape.gradient(x), dy, c.ptr, columns, 0, rows);
    if (c.needsGrad) tape.kernels.scale_columns_f32_dc(tape.gradient(c), dy, x.ptr, rows, columns, 0, columns);
  });
  return y;
}

/** y = x + s·b on every row: a bias [N] on its own. */
export function addBias(x: Value, bias: Weight, scale = 1): Value {
  const { tape } = x;
  const rows = rowsOf(x.shape);
  const columns = columnsOf(x.shape);
  const y = tape.value(x.shape, [x, bias.kind === "param" ? bias : null]);
  tape.copy(y.ptr, x.ptr, sizeOf(x.shape) * 4);
  const scaled = tape.alloc(columns * 4);
  tape.copy(scaled, bias.ptr, columns * 4);
  tape.kernels.scale_f32(scaled, scale, 0, columns);
  tape.kernels.add_columns_f32(y.ptr, scaled, columns, 0, rows);
  tape.free(scaled);
  tape.record(y, [], (dy) => {
    if (x.needsGrad) tape.addGradient(x, dy);
    if (!isTrained(bias)) return;
    const sum = tape.alloc(columns * 4);
    tape.fill(sum, columns, 0);
    tape.kernels.column_sum_f32(sum, dy, rows, columns, columns, 0, columns);
    tape.kernels.axpy_f32(bias.grad, sum, scale, 0, columns);
    tape.free(sum);
  });
  return y;
}

/** Columns `start` to `end` (exclusive) of x [T, N]. */
export function sliceColumns(x: Value, start: number, end: number): Value {
  const { tape } = x;
  const rows = rowsOf(x.shape);
  const columns = columnsOf(x.shape);
  if (start < 0 || start > end || end > columns) {
    throw new ShapeError(`columns ${start} to ${end} are not a range of the ${columns} columns`);
  }
  const count = end - start;
  const y = tape.value([rows, count], [x]);
  tape.kernels.copy_rows_f32(y.ptr, x.ptr + start * 4, count, count, columns, 0, rows);
  tape.record(y, [], (dy) => {
    tape.kernels.add_rows_f32(tape.gradient(x) + start * 4, dy, count, columns, count, 0, rows);
  });
  return y;
}

/** Values [T, N] side by side, at least one: [T, Σ N]. */
export function concatenateColumns(values: readonly Value[]): Value {
  const first = values[0]!;
  const { tape } = first;
  const rows = rowsOf(first.shape);
  for (const x of values) {
    if (rowsOf(x.shape) === rows) continue;
    throw new ShapeError(`adjacent columns must have the same number of rows, found ${rowsOf(x.shape)} and ${rows}`);
  }
  const total = values.reduce((sum, x) => sum + columnsOf(x.shape), 0);
  const y = tape.value([rows, total], values);
  const eachPart = (ptr: Ptr, visit: (x: Value, at: number, count: number) => void) => {
    let column = 0;
    for (const x of values) {
      visit(x, ptr + column * 4, columnsOf(x.shape));
      column += columnsOf(x.shape);
    }
  };
  eachPart(y.ptr, (x, at, count) => tape.kernels.copy_rows_f32(at, x.ptr, count, total, count, 0, rows));
  tape.record(y, [], (dy) => {
    eachPart(dy, (x, at, count) => {
      if (x.needsGrad) tape.kernels.add_rows_f32(tape.gradient(x), at, count, count, total, 0, rows);
    });
  });
  return y;
}
