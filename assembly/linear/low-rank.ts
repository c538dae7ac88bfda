/**
 * The skinny products of an adapter of rank r.
 *
 *   low_rank_f32     layout 1: t = x·aᵀ,  a [r, k]        layout 0: t = x·a,  a [k, r]
 *   low_rank_f32_da  layout 1: da [r, k] += scale·uᵀ·x    layout 0: da [k, r] += scale·xᵀ·u
 *
 *   x [m, k]   t, u [m, r]   all f32; ldx, ldu, lda: elements from one row to the next; t and da are dense
 *
 *   forward    t = x·Aᵀ (1)        gradient of A   dA += s·uᵀ·x  (1), with u = dy·B
 *   backward   u = dy·B (0)        gradient of B   dB += s·dyᵀ·t (0)
 *
 * start..end: rows of x in the product, columns of x in the gradient. Each element is one fixed sequence of operations, so
 * its bits do not depend on the range. Rows and ranks left over by the tiles repeat the last one: the same number is then
 * stored twice. x is streamed once for every 4 or 8 ranks, from the first cache after the first time.
 */
import { dot, hsum, madd } from "../simd/lanes";
import { loadPart, storePart } from "../simd/part";

/** @split items of ldx */
export function low_rank_f32(
  t: usize, x: usize, a: usize, m: i32, k: i32, r: i32, ldx: i32, lda: i32, layout: i32, start: i32, end: i32,
): void {
  const rowX = <usize>ldx << 2, rowA = <usize>lda << 2, rowT = <usize>r << 2;
  const height = layout ? 2 : 4;
  for (let i = start; i < end; i += height) {
    const last = min(end - i, height) - 1;
    const xi = x + <usize>i * rowX, ti = t + <usize>i * rowT;
    if (layout) dotRows(ti, xi, a, k, r, rowX * <usize>last, rowA, rowT * <usize>last);
    else for (let j = 0; j < r; j += 8) addColumns(ti, xi, a, k, j, r, last, rowX, rowA, rowT);
  }
}

/** t[0, j] and t[1, j] for every rank j, four ranks at a time; the second row lies moreX and moreT bytes on. */
function dotRows(t: usize, x: usize, a: usize, k: i32, r: i32, moreX: usize, rowA: usize, moreT: usize): void {
  for (let j = 0; j < r; j += 4) {
    const left = r - 1 - j;
    const j1 = <usize>min(1, left), j2 = <usize>min(2, left), j3 = <usize>min(3, left);
    dot2x4(t, moreT, x, moreX, a, a + j1 * rowA, a + j2 * rowA, a + j3 * rowA, k, j1 << 2, j2 << 2, j3 << 2);
    a += 4 * rowA, t += 16;
  }
}

function dot2x4(
  t: usize, moreT: usize, x: usize, moreX: usize, a0: usize, a1: usize, a2: usize, a3: usize, k: i32,
  t1: usize, t2: usize, t3: usize,
): void {
  let c00 = f32x4.splat(0), c01 = c00, c02 = c00, c03 = c00, c10 = c00, c11 = c00, c12 = c00, c13 = c00;
  for (; k >= 4; k -= 4) {
    const x0 = v128.load(x), x1 = v128.load(x + moreX);
    const v0 = v128.load(a0), v1 = v128.load(a1);
    c00 = madd(x0, v0, c00), c10 = madd(x1, v0, c10);
    c01 = madd(x0, v1, c01), c11 = madd(x1, v1, c11);
    const v2 = v128.load(a2), v3 = v128.load(a3);
    c02 = madd(x0, v2, c02), c12 = madd(x1, v2, c12);
    c03 = madd(x0, v3, c03), c13 = madd(x1, v3, c13);
    x += 16, a0 += 16, a1 += 16, a2 += 16, a3 += 16;
  }
  store<f32>(t, total(c00, x, a0, k)), store<f32>(t + t1, total(c01, x, a1, k));
  store<f32>(t + t2, total(c02, x, a2, k)), store<f32>(t + t3, total(c03, x, a3, k));
  t += moreT, x += moreX;
  store<f32>(t, total(c10, x, a0, k)), store<f32>(t + t1, total(c11, x, a1, k));
  store<f32>(t + t2, total(c12, x, a2, k)), store<f32>(t + t3, total(c13, x, a3, k));
}

/** The four partial sums and the terms that no vector holds. */
function total(partial: v128, x: usize, a: usize, rest: i32): f32 {
  return hsum(partial) + dot(x, a, rest);
}

/** Ranks j..j+8 of rows 0..last ≤ 3 of t = x·a. */
function addColumns(
  t: usize, x: usize, a: usize, k: i32, j: i32, r: i32, last: i32, rowX: usize, rowA: usize, rowT: usize,
): void {
  t += <usize>j << 2, a += <usize>j << 2;
  if (r - j >= 8) columnTile(t, x, a, k, 8, last, rowX, rowA, rowT);
  else columnTile(t, x, a, k, r - j, last, rowX, rowA, rowT);
}

/** For up to `left` ranks. Inlined for the constant 8, where nothing is partial, and for fewer. */
// @ts-ignore: decorator
@inline
function columnTile(
  t: usize, x: usize, a: usize, k: i32, left: i32, last: i32, rowX: usize, rowA: usize, rowT: usize,
): void {
  const i1 = <usize>min(1, last), i2 = <usize>min(2, last), i3 = <usize>min(3, last);
  const x1 = i1 * rowX, x2 = i2 * rowX, x3 = i3 * rowX;
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  for (const end = x + (<usize>k << 2); x < end; x += 4, a += rowA) {
    const v0 = loadPart(a, left), v1 = left > 4 ? loadPart(a + 16, left - 4) : v0;
    const s0 = v128.load32_splat(x), s1 = v128.load32_splat(x + x1);
    c00 = madd(s0, v0, c00), c01 = madd(s0, v1, c01);
    c10 = madd(s1, v0, c10), c11 = madd(s1, v1, c11);
    const s2 = v128.load32_splat(x + x2), s3 = v128.load32_splat(x + x3);
    c20 = madd(s2, v0, c20), c21 = madd(s2, v1, c21);
    c30 = madd(s3, v0, c30), c31 = madd(s3, v1, c31);
  }
  storePair(t, c00, c01, left), storePair(t + i1 * rowT, c10, c11, left);
  storePair(t + i2 * rowT, c20, c21, left), storePair(t + i3 * rowT, c30, c31, left);
}

/** Up to eight floats. */
// @ts-ignore: decorator
@inline
function storePair(p: usize, v0: v128, v1: v128, count: i32): void {
  storePart(p, v0, count);
  if (count > 4) storePart(p + 16, v1, count - 4);
}

/**
 * Rows of x summed up before da is touched: one cache line of each fits L1. Of 16, 32, 64 and 128 the fastest.
 * @host LOW_RANK_ROWS
 */
const BLOCK: i32 = 128;

/** @split items of ldx */
export function low_rank_f32_da(
  da: usize, u: usize, x: usize, m: i32, k: i32, r: i32, scale: f32, layout: i32, ldu: i32, ldx: i32,
  start: i32, end: i32,
): void {
  const rowU = <usize>ldu << 2, rowX = <usize>ldx << 2;
  const stepP: usize = layout ? 4 : <usize>r << 2, stepJ: usize = layout ? <usize>k << 2 : 4;
  for (let i = 0; i < m; i += BLOCK) {
    const rows = min(m - i, BLOCK);
    const ui = u + <usize>i * rowU, xi = x + <usize>i * rowX;
    for (let p = start; p < end; p += 8) {
      const out = da + <usize>p * stepP, strip = xi + (<usize>p << 2);
      for (let j: usize = 0; j < <usize>r; j += 4) {
        addOuter(
          out + j * stepJ, ui + (j << 2), strip, rows, rowU, rowX, scale, layout != 0, stepP, stepJ,
          min(end - p, 8), min(r - <i32>j, 4),
        );
      }
    }
  }
}

/** The sums over `rows` for 8 columns of x and 4 ranks, added to da; only `cols` and `ranks` of them exist. */
function addOuter(
  da: usize, u: usize, x: usize, rows: i32, rowU: usize, rowX: usize, scale: f32, rankMajor: bool,
  stepP: usize, stepJ: usize, cols: i32, ranks: i32,
): void {
  if (cols >= 8) outerTile(da, u, x, rows, rowU, rowX, scale, rankMajor, stepP, stepJ, 8, ranks);
  else outerTile(da, u, x, rows, rowU, rowX, scale, rankMajor, stepP, stepJ, cols, ranks);
}

/** Inlined for the constant 8, where no vector of x is partial, and for fewer columns. */
// @ts-ignore: decorator
@inline
function outerTile(
  da: usize, u: usize, x: usize, rows: i32, rowU: usize, rowX: usize, scale: f32, rankMajor: bool,
  stepP: usize, stepJ: usize, cols: i32, ranks: i32,
): void {
  const u1 = <usize>min(1, ranks - 1) << 2, u2 = <usize>min(2, ranks - 1) << 2, u3 = <usize>(ranks - 1) << 2;
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  for (; rows > 0; rows--, u += rowU, x += rowX) {
    const v0 = loadPart(x, cols), v1 = cols > 4 ? loadPart(x + 16, cols - 4) : v0;
    const s0 = v128.load32_splat(u), s1 = v128.load32_splat(u + u1);
    c00 = madd(s0, v0, c00), c01 = madd(s0, v1, c01);
    c10 = madd(s1, v0, c10), c11 = madd(s1, v1, c11);
    const s2 = v128.load32_splat(u + u2), s3 = v128.load32_splat(u + u3);
    c20 = madd(s2, v0, c20), c21 = madd(s2, v1, c21);
    c30 = madd(s3, v0, c30), c31 = madd(s3, v1, c31);
  }
  if (rankMajor) {
    addGrid(da, stepJ, scale, c00, c10, c20, c30, ranks, cols);
    if (cols > 4) addGrid(da + 16, stepJ, scale, c01, c11, c21, c31, ranks, cols - 4);
  } else {
    addTransposed(da, stepP, scale, c00, c10, c20, c30, cols, ranks);
    if (cols > 4) addTransposed(da + 4 * stepP, stepP, scale, c01, c11, c21, c31, cols - 4, ranks);
  }
}

/** out[i, ..count] += scale·v_i for i < rows ≤ 4 (more count as 4). */
function addGrid(
  out: usize, row: usize, scale: f32, v0: v128, v1: v128, v2: v128, v3: v128, rows: i32, count: i32,
): void {
  const s = f32x4.splat(scale);
  storePart(out, madd(s, v0, loadPart(out, count)), count);
  if (rows < 2) return;
  storePart(out + row, madd(s, v1, loadPart(out + row, count)), count);
  if (rows < 3) return;
  out += 2 * row;
  storePart(out, madd(s, v2, loadPart(out, count)), count);
  if (rows > 3) storePart(out + row, madd(s, v3, loadPart(out + row, count)), count);
}

/** The same with lane i of the four vectors as row i. */
function addTransposed(
  out: usize, row: usize, scale: f32, v0: v128, v1: v128, v2: v128, v3: v128, rows: i32, count: i32,
): void {
  const low01 = v128.shuffle<f32>(v0, v1, 0, 4, 1, 5), high01 = v128.shuffle<f32>(v0, v1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(v2, v3, 0, 4, 1, 5), high23 = v128.shuffle<f32>(v2, v3, 2, 6, 3, 7);
  addGrid(
    out, row, scale,
    v128.shuffle<f64>(low01, low23, 0, 2), v128.shuffle<f64>(low01, low23, 1, 3),
    v128.shuffle<f64>(high01, high23, 0, 2), v128.shuffle<f64>(high01, high23, 1, 3), rows, count,
  );
}
