/**
 * `tileInt8` of int8-tile.ts with sixteen columns: two neighboring vectors are one register where V8 merges them. Compiled to 128-bit
 * code it runs out of registers.
 *
 * Its pace is that of decoding instructions, so the loop must not compute addresses: V8 keeps memory base + 4, 8, 12 and 16 in
 * registers only if they are also used outside of it, here to read zeros (3 to 5 % faster).
 */
import { addDot } from "../simd/int8";

// @ts-ignore: decorator
@inline
export function wideTileInt8(a: usize, b: usize, pairs: i32, sums: usize, row: usize, zeros: usize): void {
  let none = v128.load_lane<u32>(zeros, i32x4.splat(0), 1, 4);
  none = v128.load_lane<u32>(zeros, none, 2, 8);
  none = v128.load_lane<u32>(zeros, none, 3, 12);
  none = v128.load_lane<u32>(zeros, none, 0, 16);
  const zero = i32x4.splat(i32x4.extract_lane(none, 0));
  let c00 = zero, c01 = zero, c02 = zero, c03 = zero, c10 = zero, c11 = zero, c12 = zero, c13 = zero;
  let c20 = zero, c21 = zero, c22 = zero, c23 = zero, c30 = zero, c31 = zero, c32 = zero, c33 = zero;
  let c40 = zero, c41 = zero, c42 = zero, c43 = zero;
  const end = a + <usize>(pairs * 5 << 2);
  for (; a < end; a += 20, b += 64) {
    const b0 = v128.load(b), b1 = v128.load(b, 16), b2 = v128.load(b, 32), b3 = v128.load(b, 48);
    const a0 = v128.load32_splat(a);
    c00 = addDot(a0, b0, c00), c01 = addDot(a0, b1, c01), c02 = addDot(a0, b2, c02), c03 = addDot(a0, b3, c03);
    const a1 = v128.load32_splat(a, 4);
    c10 = addDot(a1, b0, c10), c11 = addDot(a1, b1, c11), c12 = addDot(a1, b2, c12), c13 = addDot(a1, b3, c13);
    const a2 = v128.load32_splat(a, 8);
    c20 = addDot(a2, b0, c20), c21 = addDot(a2, b1, c21), c22 = addDot(a2, b2, c22), c23 = addDot(a2, b3, c23);
    const a3 = v128.load32_splat(a, 12);
    c30 = addDot(a3, b0, c30), c31 = addDot(a3, b1, c31), c32 = addDot(a3, b2, c32), c33 = addDot(a3, b3, c33);
    const a4 = v128.load32_splat(a, 16);
    c40 = addDot(a4, b0, c40), c41 = addDot(a4, b1, c41), c42 = addDot(a4, b2, c42), c43 = addDot(a4, b3, c43);
  }
  v128.store(sums, c00), v128.store(sums, c01, 16), v128.store(sums, c02, 32), v128.store(sums, c03, 48);
  sums += row;
  v128.store(sums, c10), v128.store(sums, c11, 16), v128.store(sums, c12, 32), v128.store(sums, c13, 48);
  sums += row;
  v128.store(sums, c20), v128.store(sums, c21, 16), v128.store(sums, c22, 32), v128.store(sums, c23, 48);
  sums += row;
  v128.store(sums, c30), v128.store(sums, c31, 16), v128.store(sums, c32, 32), v128.store(sums, c33, 48);
  sums += row;
  v128.store(sums, c40), v128.store(sums, c41, 16), v128.store(sums, c42, 32), v128.store(sums, c43, 48);
}
