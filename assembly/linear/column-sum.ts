/**
 * The gradient of a bias: out[j] += Σ_i x[i, j].
 *
 *   x [rows, cols], ldx elements from one row to the next   out [cols]   f32
 *
 * start..end: columns. Four rows of x are added to each other, then to out, so x is read along its rows.
 */
import { Sum } from "../simd/formulas";
import { map2 } from "../simd/map";

/** @split items of rows * cols * ldx */
export function column_sum_f32(out: usize, x: usize, rows: i32, cols: i32, ldx: i32, start: i32, end: i32): void {
  const row = <usize>ldx << 2, skip = <usize>start << 2;
  let i = 0;
  for (; i + 4 <= rows; i += 4, x += 4 * row) addRows(out + skip, x + skip, end - start, row, 2 * row, 3 * row);
  for (; i < rows; i++, x += row) map2<Sum>(out, out, x, start, end);
}

function addRows(out: usize, x: usize, n: i32, row1: usize, row2: usize, row3: usize): void {
  if (WIDE) {
    for (; n > 7; n -= 8, x += 32, out += 32) {
      const x1 = x + row1, x2 = x + row2, x3 = x + row3;
      const first = sum5(v128.load(out), v128.load(x), v128.load(x1), v128.load(x2), v128.load(x3));
      const second = sum5(
        v128.load(out, 16), v128.load(x, 16), v128.load(x1, 16), v128.load(x2, 16), v128.load(x3, 16),
      );
      v128.store(out, first), v128.store(out, second, 16);
    }
  } else {
    for (; n > 3; n -= 4, x += 16, out += 16) {
      v128.store(out, sum5(v128.load(out), v128.load(x), v128.load(x + row1), v128.load(x + row2), v128.load(x + row3)));
    }
  }
  for (; n > 0; n--, x += 4, out += 4) {
    const low = load<f32>(x) + load<f32>(x + row1), high = load<f32>(x + row2) + load<f32>(x + row3);
    store<f32>(out, load<f32>(out) + (low + high));
  }
}

// @ts-ignore: decorator
@inline
function sum5(out: v128, x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  return f32x4.add(out, f32x4.add(f32x4.add(x0, x1), f32x4.add(x2, x3)));
}
