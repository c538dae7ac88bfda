/**
 * Sums and products of vectors.
 *
 *   add_f32     y = a + b
 *   axpy_f32    y += alpha·x
 *   scale_f32   y *= alpha
 *   mul_f32     y = a∘b
 *   mul_f32_da  da += dy∘b
 *
 * start, end: element range. y may be a or b.
 */
import { AddProduct, AddScaled, Product, Scaled, Sum } from "../simd/formulas";
import { map, map2, map3 } from "../simd/map";

/** @split items */
export function add_f32(y: usize, a: usize, b: usize, start: i32, end: i32): void {
  map2<Sum>(y, a, b, start, end);
}

/** @split items */
export function axpy_f32(y: usize, x: usize, alpha: f32, start: i32, end: i32): void {
  map2<AddScaled>(y, x, y, start, end, f32x4.splat(alpha));
}

/** @split items */
export function scale_f32(y: usize, alpha: f32, start: i32, end: i32): void {
  map<Scaled>(y, y, start, end, f32x4.splat(alpha));
}

/** @split items */
export function mul_f32(y: usize, a: usize, b: usize, start: i32, end: i32): void {
  map2<Product>(y, a, b, start, end);
}

/** @split items */
export function mul_f32_da(da: usize, dy: usize, b: usize, start: i32, end: i32): void {
  map3<AddProduct>(da, dy, b, da, start, end);
}
