import { sizeOf } from "../core/shape.ts";
import type { Value } from "../tape/tape.ts";
import { isTrained, type Weight } from "../tensor/tensor.ts";
import { columnsOf, rowsOf } from "./checks.ts";

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
