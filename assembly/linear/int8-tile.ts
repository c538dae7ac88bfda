/**
 * The hot loop of int8-matmul.ts: one tile of C from two packed slivers of i16, summed in i32 registers.
 *
 *   c[i, j] = from[i, j] + scaleA[i]·scaleB[j]·Σ_p a[p, i]·b[p, j]      i < ROWS, j < COLS
 *
 *   a [pairs, ROWS, 2] i16, then the ROWS scales      b [pairs, COLS, 2] i16, then the COLS scales
 *   c, from   rows at byte steps rowC and rowFrom; from may be c, or one row (rowFrom = 0)
 */
import { scaled } from "./int8-sum";

export const ROWS: i32 = 5;
export const COLS: i32 = 8;

// @ts-ignore: decorator
@inline
function addDot(a: v128, b: v128, c: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(a, b), c);
}

export function tileInt8(a: usize, b: usize, pairs: i32, c: usize, rowC: usize, from: usize, rowFrom: usize): void {
  let c00 = i32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00, c40 = c00, c41 = c00;
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
  const s0 = v128.load(b), s1 = v128.load(b, 16);
  store(c, from, c00, c01, v128.load32_splat(a), s0, s1);
  c += rowC, from += rowFrom;
  store(c, from, c10, c11, v128.load32_splat(a, 4), s0, s1);
  c += rowC, from += rowFrom;
  store(c, from, c20, c21, v128.load32_splat(a, 8), s0, s1);
  c += rowC, from += rowFrom;
  store(c, from, c30, c31, v128.load32_splat(a, 12), s0, s1);
  c += rowC, from += rowFrom;
  store(c, from, c40, c41, v128.load32_splat(a, 16), s0, s1);
}

// @ts-ignore: decorator
@inline
function store(c: usize, from: usize, sum0: v128, sum1: v128, scaleA: v128, scaleB0: v128, scaleB1: v128): void {
  v128.store(c, scaled(v128.load(from), sum0, scaleA, scaleB0));
  v128.store(c, scaled(v128.load(from, 16), sum1, scaleA, scaleB1), 16);
}
