/** Signed bytes: as f32, and as the i16 operands of integer dot products. `p` and `y` are byte addresses of any alignment. */
import { storePart } from "./part";

/** Four consecutive bytes as i32 lanes; nothing beyond them is read. */
// @ts-ignore: decorator
@inline
function load4Bytes(p: usize): v128 {
  return i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(p)));
}

/** The first `count` bytes at p as i32 lanes, the others 0; 4 and more for a whole vector. */
// @ts-ignore: decorator
@inline
export function loadBytes(p: usize, count: i32): v128 {
  if (count >= 4) return load4Bytes(p);
  let v = i32x4.replace_lane(i32x4.splat(0), 0, <i32>load<i8>(p));
  if (count > 1) v = i32x4.replace_lane(v, 1, <i32>load<i8>(p + 1));
  if (count > 2) v = i32x4.replace_lane(v, 2, <i32>load<i8>(p + 2));
  return v;
}

/** y[j] = scale·p[j] for j < n. */
// @ts-ignore: decorator
@inline
export function scaleRow(y: usize, p: usize, scale: v128, n: i32): void {
  for (; n >= 4; n -= 4, p += 4, y += 16) v128.store(y, f32x4.mul(scale, f32x4.convert_i32x4_s(load4Bytes(p))));
  if (n > 0) storePart(y, f32x4.mul(scale, f32x4.convert_i32x4_s(loadBytes(p, n))), n);
}

/** c + the i32 sums of a's and b's i16 products, two by two. */
// @ts-ignore: decorator
@inline
export function addDot(a: v128, b: v128, c: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(a, b), c);
}

/** The first eight bytes of v0 and v1 in turn. */
// @ts-ignore: decorator
@inline
export function zipLow(v0: v128, v1: v128): v128 {
  return v128.shuffle<i8>(v0, v1, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/** The last eight bytes of v0 and v1 in turn. */
// @ts-ignore: decorator
@inline
export function zipHigh(v0: v128, v1: v128): v128 {
  return v128.shuffle<i8>(v0, v1, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
