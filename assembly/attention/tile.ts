/**
 * Small matrix products between packed panels, and the packing. All panels are f32 without gaps.
 *
 *   left operand    [inner][≥ 4]    four rows of A, the inner dimension outermost; stepA bytes from one inner index to the next
 *   right operand   [inner][COLS]   COLS columns of B
 *
 * Packing pads with zeros, so a tile never has an edge: what lies beyond the true size is multiplied and ignored.
 */
import { madd } from "../simd/lanes";
import { wideTile } from "./wide-tile";

/** Columns of a tile, and so of a right panel. */
export const COLS: i32 = WIDE ? 16 : 8;
const ROW_B: usize = <usize>COLS << 2;
const ZEROS: usize = memory.data(64, 16);

/**
 * c[4, COLS] (+)= Σ_p a[p][i]·b[p][j], p < inner, in order of p from c's old value, or from 0 if `fresh`. Row i of c is at c + i·rowC.
 * Unrolling the loop by two or four was a quarter slower in V8 11.3.
 */
export function tile(c: usize, rowC: usize, a: usize, stepA: usize, b: usize, inner: i32, fresh: bool): void {
  const end = b + <usize>inner * ROW_B;
  let from = fresh ? ZEROS : c;
  const rowFrom = fresh ? 0 : rowC;
  if (WIDE) {
    wideTile(c, rowC, from, rowFrom, a, stepA, b, end);
    return;
  }
  let c00 = v128.load(from), c01 = v128.load(from, 16);
  from += rowFrom;
  let c10 = v128.load(from), c11 = v128.load(from, 16);
  from += rowFrom;
  let c20 = v128.load(from), c21 = v128.load(from, 16);
  from += rowFrom;
  let c30 = v128.load(from), c31 = v128.load(from, 16);
  for (; b < end; a += stepA, b += ROW_B) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const a0 = v128.load32_splat(a);
    c00 = madd(a0, b0, c00);
    c01 = madd(a0, b1, c01);
    const a1 = v128.load32_splat(a, 4);
    c10 = madd(a1, b0, c10);
    c11 = madd(a1, b1, c11);
    const a2 = v128.load32_splat(a, 8);
    c20 = madd(a2, b0, c20);
    c21 = madd(a2, b1, c21);
    const a3 = v128.load32_splat(a, 12);
    c30 = madd(a3, b0, c30);
    c31 = madd(a3, b1, c31);
  }
  v128.store(c, c00), v128.store(c, c01, 16);
  c += rowC;
  v128.store(c, c10), v128.store(c, c11, 16);
  c += rowC;
  v128.store(c, c20), v128.store(c, c21, 16);
  c += rowC;
  v128.store(c, c30), v128.store(c, c31, 16);
}

/**
 * c[rows, columns] (+)= A·B from left panels panelA bytes apart and right panels panelB bytes apart; c steps by rowC. Of the inner
 * dimension, rows i to i + 3 need only low + i to high + i, and what lies outside is not read.
 */
export function product(
  c: usize, rowC: usize, a: usize, stepA: usize, panelA: usize, b: usize, panelB: usize,
  rows: i32, columns: i32, inner: i32, low: i32, high: i32, fresh: bool,
): void {
  for (let j = 0; j < columns; j += COLS, c += ROW_B, b += panelB) {
    let left = a, out = c;
    for (let i = 0; i < rows; i += 4, left += panelA, out += rowC * 4) {
      const from = max(low + i, 0), n = max(min(high + i, inner) - from, 0);
      tile(out, rowC, left + <usize>from * stepA, stepA, b + <usize>from * ROW_B, n, fresh);
    }
  }
}

/** Rows of factor·x become lanes: dst [⌈n/width⌉][d][width], width a multiple of 4, from n rows of d values, rowX bytes apart. */
export function packLanes(dst: usize, width: i32, x: usize, rowX: usize, n: i32, d: i32, factor: f32): void {
  const step = <usize>width << 2;
  const factors = f32x4.splat(factor);
  for (let i = 0; i < roundUp(n, width); i += 4, x += rowX * 4) {
    const lane = i & (width - 1);
    const out = dst + (<usize>((i - lane) * d + lane) << 2);
    const rows = min(n - i, 4);
    const whole = rows == 4 ? d & ~3 : 0;
    for (let c = 0; c < whole; c += 4) {
      const p = x + (<usize>c << 2);
      const q = p + rowX * 2;
      storeTransposed(
        out + <usize>c * step, step,
        f32x4.mul(v128.load(p), factors), f32x4.mul(v128.load(p + rowX), factors),
        f32x4.mul(v128.load(q), factors), f32x4.mul(v128.load(q + rowX), factors),
      );
    }
    for (let c = whole; c < d; c++) {
      for (let r = 0; r < 4; r++) {
        const value: f32 = r < rows ? factor * load<f32>(x + <usize>r * rowX + (<usize>c << 2)) : 0;
        store<f32>(out + <usize>c * step + (<usize>r << 2), value);
      }
    }
  }
}

/** Columns of x become lanes: dst [⌈d/COLS⌉][nPadded][COLS] from n rows of d values, rowX bytes apart. */
export function packRows(dst: usize, x: usize, rowX: usize, n: i32, nPadded: i32, d: i32): void {
  const panel = <usize>nPadded * ROW_B;
  for (let c = 0; c < d; c += COLS, dst += panel, x += ROW_B) {
    const columns = min(d - c, COLS);
    let out = dst, row = x;
    for (let i = 0; i < n; i++, out += ROW_B, row += rowX) {
      if (columns == COLS) {
        v128.store(out, v128.load(row));
        v128.store(out, v128.load(row, 16), 16);
        if (WIDE) {
          v128.store(out, v128.load(row, 32), 32);
          v128.store(out, v128.load(row, 48), 48);
        }
      } else {
        for (let l = 0; l < COLS; l++) {
          const value: f32 = l < columns ? load<f32>(row + (<usize>l << 2)) : 0;
          store<f32>(out + (<usize>l << 2), value);
        }
      }
    }
    memory.fill(out, 0, dst + panel - out);
  }
}

/** Stores lane i of a, b, c, d as the vector at dst + i·step. */
// @ts-ignore: decorator
@inline
function storeTransposed(dst: usize, step: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab01 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const ab23 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd01 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cd23 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(dst, v128.shuffle<f32>(ab01, cd01, 0, 1, 4, 5));
  v128.store(dst + step, v128.shuffle<f32>(ab01, cd01, 2, 3, 6, 7));
  v128.store(dst + step * 2, v128.shuffle<f32>(ab23, cd23, 0, 1, 4, 5));
  v128.store(dst + step * 3, v128.shuffle<f32>(ab23, cd23, 2, 3, 6, 7));
}

/** n rounded up to a multiple of `to`, a power of two. */
// @ts-ignore: decorator
@inline
export function roundUp(n: i32, to: i32): i32 {
  return (n + to - 1) & -to;
}
