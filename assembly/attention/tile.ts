/**
 * Small matrix products between packed panels, and the packing. All panels are f32 without gaps.
 *
 *   panel of 4   [inner][4]   the left operand of a tile: four rows of A, the inner dimension outermost
 *   panel of 8   [inner][8]   the right operand: eight columns of B
 *
 * Packing pads with zeros, so a tile never has an edge: what lies beyond the true size is multiplied and ignored.
 */
import { madd } from "../simd/lanes";

/**
 * c[4, 8] (+)= Σ_p a[p][i]·b[p][j], p < inner. Row i of c is at c + i·rowC, its columns 4 to 7 at + halfC bytes.
 * `fresh` overwrites c; otherwise the products are summed first and then added to it. Unrolling the loop by two or four
 * was a quarter slower in V8 11.3.
 */
export function tile(c: usize, rowC: usize, halfC: usize, a: usize, b: usize, inner: i32, fresh: bool): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  for (const end = b + (<usize>inner << 5); b < end; a += 16, b += 32) {
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
  put(c, halfC, c00, c01, fresh);
  put(c + rowC, halfC, c10, c11, fresh);
  put(c + rowC * 2, halfC, c20, c21, fresh);
  put(c + rowC * 3, halfC, c30, c31, fresh);
}

// @ts-ignore: decorator
@inline
function put(c: usize, half: usize, low: v128, high: v128, fresh: bool): void {
  v128.store(c, fresh ? low : f32x4.add(v128.load(c), low));
  v128.store(c + half, fresh ? high : f32x4.add(v128.load(c + half), high));
}

/** c[rows, columns] (+)= A·B from panels of 4, panelA bytes apart, and of 8, panelB bytes apart; c steps by rowC. */
export function product(
  c: usize, rowC: usize, a: usize, panelA: usize, b: usize, panelB: usize,
  rows: i32, columns: i32, inner: i32, fresh: bool,
): void {
  for (let j = 0; j < columns; j += 8, c += 32, b += panelB) {
    let left = a, out = c;
    for (let i = 0; i < rows; i += 4, left += panelA, out += rowC * 4) tile(out, rowC, 16, left, b, inner, fresh);
  }
}

/** Rows of x become lanes: dst [⌈n/width⌉][d][width], width 4 or 8, from n rows of d values, rowX bytes apart. */
export function packLanes(dst: usize, width: i32, x: usize, rowX: usize, n: i32, d: i32): void {
  const step = <usize>width << 2;
  for (let i = 0; i < roundUp(n, width); i += 4, x += rowX * 4) {
    const lane = i & (width - 1);
    const out = dst + (<usize>((i - lane) * d + lane) << 2);
    const rows = min(n - i, 4);
    const whole = rows == 4 ? d & ~3 : 0;
    for (let c = 0; c < whole; c += 4) {
      const p = x + (<usize>c << 2);
      const q = p + rowX * 2;
      const column = out + <usize>c * step;
      storeTransposed(column, step, v128.load(p), v128.load(p + rowX), v128.load(q), v128.load(q + rowX));
    }
    for (let c = whole; c < d; c++) {
      for (let r = 0; r < 4; r++) {
        const value: f32 = r < rows ? load<f32>(x + <usize>r * rowX + (<usize>c << 2)) : 0;
        store<f32>(out + <usize>c * step + (<usize>r << 2), value);
      }
    }
  }
}

/** Columns of x become lanes: dst [⌈d/8⌉][nPadded][8] from n rows of d values, rowX bytes apart. */
export function packRows(dst: usize, x: usize, rowX: usize, n: i32, nPadded: i32, d: i32): void {
  const panel = <usize>nPadded << 5;
  for (let c = 0; c < d; c += 8, dst += panel, x += 32) {
    const columns = min(d - c, 8);
    let out = dst, row = x;
    for (let i = 0; i < n; i++, out += 32, row += rowX) {
      if (columns == 8) {
        v128.store(out, v128.load(row));
        v128.store(out, v128.load(row, 16), 16);
      } else {
        for (let l = 0; l < 8; l++) {
          const value: f32 = l < columns ? load<f32>(row + (<usize>l << 2)) : 0;
          store<f32>(out + (<usize>l << 2), value);
        }
      }
    }
    memory.fill(out, 0, dst + panel - out);
  }
}

/**
 * Panels of 4 the other way round: src [rows/4][≥ columns][4], panels panelS bytes apart, to
 * dst [columns/4][≥ rows][4], panels panelD bytes apart. rows and columns are multiples of 4.
 */
export function transposePanels(dst: usize, panelD: usize, src: usize, panelS: usize, rows: i32, columns: i32): void {
  for (let i = 0; i < rows; i += 4, src += panelS, dst += 64) {
    let p = src, out = dst;
    for (let j = 0; j < columns; j += 4, p += 64, out += panelD) {
      storeTransposed(out, 16, v128.load(p), v128.load(p, 16), v128.load(p, 32), v128.load(p, 48));
    }
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
