/**
 * One number per column of a matrix [rows, cols]: IA3's scales, biases.
 *
 *   scale_columns_f32     y = x·diag(c)          rows start..end; y may be x
 *   scale_columns_f32_dx  dx += dy·diag(c)       rows start..end
 *   scale_columns_f32_dc  dc += Σ_rows dy∘x      columns start..end
 *   add_columns_f32       y += b on each row     rows start..end
 */
import { axpy, madd } from "../simd/lanes";
import { loadPart, storePart } from "../simd/part";

/** @split items of cols */
export function scale_columns_f32(y: usize, x: usize, c: usize, cols: i32, start: i32, end: i32): void {
  for (let i = start; i < end; i++) {
    let at = <usize>(i * cols) << 2, p = c;
    for (let left = cols; left > 0; left -= 4, at += 16, p += 16) {
      storePart(y + at, f32x4.mul(loadPart(x + at, left), loadPart(p, left)), left);
    }
  }
}

/** @split items of cols */
export function scale_columns_f32_dx(dx: usize, dy: usize, c: usize, cols: i32, start: i32, end: i32): void {
  for (let i = start; i < end; i++) {
    const at = <usize>(i * cols) << 2;
    addProduct(dx + at, dy + at, c, cols);
  }
}

/** @split items of rows * cols */
export function scale_columns_f32_dc(
  dc: usize, dy: usize, x: usize, rows: i32, cols: i32, start: i32, end: i32,
): void {
  for (let i = 0; i < rows; i++) {
    const at = <usize>(i * cols + start) << 2;
    addProduct(dc + (<usize>start << 2), dy + at, x + at, end - start);
  }
}

/** out[i] += p[i]·q[i] for i < n. */
// @ts-ignore: decorator
@inline
function addProduct(out: usize, p: usize, q: usize, n: i32): void {
  for (; n > 0; n -= 4, out += 16, p += 16, q += 16) {
    storePart(out, madd(loadPart(p, n), loadPart(q, n), loadPart(out, n)), n);
  }
}

/** @split items of cols */
export function add_columns_f32(y: usize, b: usize, cols: i32, start: i32, end: i32): void {
  for (let i = start; i < end; i++) axpy(y + (<usize>(i * cols) << 2), 1, b, cols);
}
