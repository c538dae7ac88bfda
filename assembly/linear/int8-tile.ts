/**
 * The hot loop of int8-matmul.ts: the exact sums of one tile of C in registers, from two packed slivers of i16.
 *
 *   sums[i, j] = Σ_p a[p, i]·b[p, j]      i < ROWS, j < COLS, i32
 *
 *   a [pairs, ROWS, 2]   b [pairs, COLS, 2]   i16, two terms of the sum side by side
 *   sums    i32, rows at byte steps `row`      zeros   32 bytes of zeros
 *
 * dot_i16x8_s multiplies eight pairs and adds them two by two: with the addition to the sums, two instructions for eight terms.
 *
 * V8 11 and 13 keep exactly this shape in registers. Scaling the sums here costs V8 11 half of its speed: it then spills in the loop.
 * Where V8 merges pairs of vectors (WIDE), the same registers hold twice as much: 5x16. For dot products of bytes (DOT), a pair is four
 * terms, and the slivers are those of int8-dot-fill.ts.
 */
import { addDot } from "../simd/int8";
import { dotTileInt8 } from "./int8-dot-tile";
import { wideTileInt8 } from "./int8-wide-tile";

export const ROWS: i32 = 5;
export const COLS: i32 = WIDE || DOT ? 16 : 8;

export function tileInt8(a: usize, b: usize, pairs: i32, sums: usize, row: usize, zeros: usize): void {
  if (DOT) {
    dotTileInt8(a, b, pairs, sums, row);
    return;
  }
  if (WIDE) {
    wideTileInt8(a, b, pairs, sums, row, zeros);
    return;
  }
  let zero = v128.load_zero<u32>(zeros);
  zero = v128.load_lane<u32>(zeros, zero, 1, 4);
  zero = v128.load_lane<u32>(zeros, zero, 2, 8);
  zero = v128.load_lane<u32>(zeros, zero, 3, 12);
  let c00 = zero, c01 = zero, c10 = zero, c11 = zero, c20 = zero, c21 = zero, c30 = zero, c31 = zero, c40 = zero, c41 = zero;
  const end = a + <usize>(pairs * ROWS << 2);
  for (; a < end; a += ROWS << 2, b += COLS << 2) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const a0 = v128.load32_splat(a);
    c00 = addDot(a0, b0, c00);
    c01 = addDot(a0, b1, c01);
    const a1 = v128.load32_splat(a, 4);
    c10 = addDot(a1, b0, c10);
    c11 = addDot(a1, b1, c11);
    const a2 = v128.load32_splat(a, 8);
    c20 = addDot(a2, b0, c20);
    c21 = addDot(a2, b1, c21);
    const a3 = v128.load32_splat(a, 12);
    c30 = addDot(a3, b0, c30);
    c31 = addDot(a3, b1, c31);
    const a4 = v128.load32_splat(a, 16);
    c40 = addDot(a4, b0, c40);
    c41 = addDot(a4, b1, c41);
  }
  v128.store(sums, c00), v128.store(sums, c01, 16);
  sums += row;
  v128.store(sums, c10), v128.store(sums, c11, 16);
  sums += row;
  v128.store(sums, c20), v128.store(sums, c21, 16);
  sums += row;
  v128.store(sums, c30), v128.store(sums, c31, 16);
  sums += row;
  v128.store(sums, c40), v128.store(sums, c41, 16);
}
