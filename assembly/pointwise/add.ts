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
import { madd } from "../simd/lanes";
import { loadPart, storePart } from "../simd/part";

/** @split items */
export function add_f32(y: usize, a: usize, b: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  const stop: usize = <usize>end << 2;
  const stop4 = i + ((stop - i) & ~15);
  for (; i < stop4; i += 16) v128.store(y + i, f32x4.add(v128.load(a + i), v128.load(b + i)));
  for (; i < stop; i += 4) store<f32>(y + i, load<f32>(a + i) + load<f32>(b + i));
}

/** @split items */
export function axpy_f32(y: usize, x: usize, alpha: f32, start: i32, end: i32): void {
  const a = f32x4.splat(alpha);
  for (let i = start; i < end; i += 4) {
    const at = <usize>i << 2;
    storePart(y + at, madd(a, loadPart(x + at, end - i), loadPart(y + at, end - i)), end - i);
  }
}

/** @split items */
export function scale_f32(y: usize, alpha: f32, start: i32, end: i32): void {
  let p = y + (<usize>start << 2);
  const stop = y + (<usize>end << 2);
  const stop4 = p + ((stop - p) & ~15);
  const a = f32x4.splat(alpha);
  for (; p < stop4; p += 16) v128.store(p, f32x4.mul(a, v128.load(p)));
  for (; p < stop; p += 4) store<f32>(p, alpha * load<f32>(p));
}

/** @split items */
export function mul_f32(y: usize, a: usize, b: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    storePart(y + i, f32x4.mul(loadPart(a + i, left), loadPart(b + i, left)), left);
  }
}

/** @split items */
export function mul_f32_da(da: usize, dy: usize, b: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    storePart(da + i, madd(loadPart(dy + i, left), loadPart(b + i, left), loadPart(da + i, left)), left);
  }
}
