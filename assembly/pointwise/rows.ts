/**
 * Pieces of matrices: columns taken out of, put into or added to wider rows.
 *
 *   copy_rows_f32  y[i, :] = x[i, :]
 *   add_rows_f32   y[i, :] += x[i, :]
 *
 * cols values in each row; ldy and ldx elements from one row to the next. start, end: range of rows.
 */
import { axpy } from "../simd/lanes";

/** @split items of cols * ldx */
export function copy_rows_f32(y: usize, x: usize, cols: i32, ldy: i32, ldx: i32, start: i32, end: i32): void {
  for (let i = start; i < end; i++) {
    memory.copy(y + (<usize>(i * ldy) << 2), x + (<usize>(i * ldx) << 2), <usize>cols << 2);
  }
}

/** @split items of cols * ldx */
export function add_rows_f32(y: usize, x: usize, cols: i32, ldy: i32, ldx: i32, start: i32, end: i32): void {
  for (let i = start; i < end; i++) axpy(y + (<usize>(i * ldy) << 2), 1, x + (<usize>(i * ldx) << 2), cols);
}
