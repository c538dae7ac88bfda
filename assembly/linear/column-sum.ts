/**
 * The gradient of a bias: out[j] += Σ_i x[i, j].
 *
 *   x [rows, cols], ldx elements from one row to the next   out [cols]   f32
 *
 * start..end: columns. Four rows of x are added to each other, then to out, so x is read along its rows.
 */
import { loadPart, storePart } from "../simd/part";

/** @split items of rows * cols * ldx */
export function column_sum_f32(out: usize, x: usize, rows: i32, cols: i32, ldx: i32, start: i32, end: i32): void {
  const row = <usize>ldx << 2, skip = <usize>start << 2;
  out += skip, x += skip;
  let i = 0;
  for (; i + 4 <= rows; i += 4, x += 4 * row) addRows(out, x, end - start, row, 2 * row, 3 * row);
  for (; i < rows; i++, x += row) addRow(out, x, end - start);
}

function addRows(out: usize, x: usize, n: i32, row1: usize, row2: usize, row3: usize): void {
  for (; n > 0; n -= 4, x += 16, out += 16) {
    const low = f32x4.add(loadPart(x, n), loadPart(x + row1, n));
    const high = f32x4.add(loadPart(x + row2, n), loadPart(x + row3, n));
    storePart(out, f32x4.add(loadPart(out, n), f32x4.add(low, high)), n);
  }
}

function addRow(out: usize, x: usize, n: i32): void {
  for (; n > 0; n -= 4, x += 16, out += 16) storePart(out, f32x4.add(loadPart(out, n), loadPart(x, n)), n);
}
