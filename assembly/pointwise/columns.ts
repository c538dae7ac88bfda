/**
 * One number per column of a matrix [rows, cols]: IA3's scales, biases.
 *
 *   scale_columns_f32     y = x·diag(c)          rows start..end; y may be x
 *   scale_columns_f32_dx  dx += dy·diag(c)       rows start..end
 *   scale_columns_f32_dc  dc += Σ_rows dy∘x      columns start..end
 *   add_columns_f32       y += b on each row     rows start..end
 */
import { AddProduct, Product } from "../simd/formulas";
import { axpy } from "../simd/lanes";
import { map2, map3 } from "../simd/map";

/** @split items of cols */
export function scale_columns_f32(y: usize, x: usize, c: usize, cols: i32, start: i32, end: i32): void {
  for (let i = start; i < end; i++) {
    const at = <usize>(i * cols) << 2;
    map2<Product>(y + at, x + at, c, 0, cols);
  }
}

/** @split items of cols */
export function scale_columns_f32_dx(dx: usize, dy: usize, c: usize, cols: i32, start: i32, end: i32): void {
  for (let i = start; i < end; i++) {
    const at = <usize>(i * cols) << 2;
    map3<AddProduct>(dx + at, dy + at, c, dx + at, 0, cols);
  }
}

/** @split items of rows * cols */
export function scale_columns_f32_dc(
  dc: usize, dy: usize, x: usize, rows: i32, cols: i32, start: i32, end: i32,
): void {
  for (let i = 0; i < rows; i++) {
    const at = <usize>(i * cols) << 2;
    map3<AddProduct>(dc, dy + at, x + at, dc, start, end);
  }
}

/** @split items of cols */
export function add_columns_f32(y: usize, b: usize, cols: i32, start: i32, end: i32): void {
  for (let i = start; i < end; i++) axpy(y + (<usize>(i * cols) << 2), 1, b, cols);
}
