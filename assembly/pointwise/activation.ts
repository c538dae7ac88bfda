/**
 * Activations that read one number. All but silu take their gradient from their result.
 *
 *   relu        y = max(x, 0)                       dx += dy where y > 0
 *   leaky_relu  y = x where x > 0, else slope·x     dx += dy where y > 0, else slope·dy      slope > 0
 *   tanh        y = tanh x                          dx += dy·(1 − y²)
 *   sigmoid     y = 1 / (1 + exp(−x))               dx += dy·y·(1 − y)
 *   silu        y = x·s,  s = sigmoid(x)            dx += dy·s·(1 + x·(1 − s))
 *
 * start, end: element range. y may be x.
 */
import { madd } from "../simd/lanes";
import { sigmoid4, tanh4 } from "../simd/math";
import { loadPart, storePart } from "../simd/part";

/** @split items */
export function relu_f32(y: usize, x: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    storePart(y + i, f32x4.max(loadPart(x + i, left), f32x4.splat(0)), left);
  }
}

/** @split items */
export function relu_f32_dx(dx: usize, dy: usize, y: usize, start: i32, end: i32): void {
  leaky_relu_f32_dx(dx, dy, y, 0, start, end);
}

/** @split items */
export function leaky_relu_f32(y: usize, x: usize, slope: f32, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const v = loadPart(x + i, left);
    const positive = f32x4.gt(v, f32x4.splat(0));
    storePart(y + i, v128.bitselect(v, f32x4.mul(f32x4.splat(slope), v), positive), left);
  }
}

/** @split items */
export function leaky_relu_f32_dx(dx: usize, dy: usize, y: usize, slope: f32, start: i32, end: i32): void {
  const one = f32x4.splat(1);
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const positive = f32x4.gt(loadPart(y + i, left), f32x4.splat(0));
    addProduct(dx + i, dy + i, v128.bitselect(one, f32x4.splat(slope), positive), left);
  }
}

/** @split items */
export function tanh_f32(y: usize, x: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) storePart(y + i, tanh4(loadPart(x + i, left)), left);
}

/** @split items */
export function tanh_f32_dx(dx: usize, dy: usize, y: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const v = loadPart(y + i, left);
    addProduct(dx + i, dy + i, f32x4.sub(f32x4.splat(1), f32x4.mul(v, v)), left);
  }
}

/** @split items */
export function sigmoid_f32(y: usize, x: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) storePart(y + i, sigmoid4(loadPart(x + i, left)), left);
}

/** @split items */
export function sigmoid_f32_dx(dx: usize, dy: usize, y: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const v = loadPart(y + i, left);
    addProduct(dx + i, dy + i, f32x4.mul(v, f32x4.sub(f32x4.splat(1), v)), left);
  }
}

/** @split items */
export function silu_f32(y: usize, x: usize, start: i32, end: i32): void {
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const v = loadPart(x + i, left);
    storePart(y + i, f32x4.mul(v, sigmoid4(v)), left);
  }
}

/** @split items */
export function silu_f32_dx(dx: usize, dy: usize, x: usize, start: i32, end: i32): void {
  const one = f32x4.splat(1);
  let i: usize = <usize>start << 2;
  for (let left = end - start; left > 0; left -= 4, i += 16) {
    const v = loadPart(x + i, left);
    const s = sigmoid4(v);
    addProduct(dx + i, dy + i, f32x4.mul(s, madd(v, f32x4.sub(one, s), one)), left);
  }
}

/** dx += dy·slope for up to four elements. */
// @ts-ignore: decorator
@inline
function addProduct(dx: usize, dy: usize, slope: v128, count: i32): void {
  storePart(dx, madd(loadPart(dy, count), slope, loadPart(dx, count)), count);
}
