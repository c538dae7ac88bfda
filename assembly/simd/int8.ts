/** Rows of signed bytes as f32. `p` and `y` are byte addresses of any alignment. */
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
