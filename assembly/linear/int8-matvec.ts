/**
 * The product of int8-matmul.ts for one to a few rows, as in decoding: nothing is packed and B is read from memory once (once
 * for every four rows). Arguments as there. The results are the same bits.
 *
 * With B stored [n, k] each element is a dot product along a row of B; the range is of columns. With [k, n] the rows of B are
 * added up, in parts as in matvec-rows.ts: matvec_int8_rows computes integers, range of parts, and matvec_int8_sum the result.
 *
 *   sums [matvec_int8_parts(k), m, n] i32
 */
import { addDot, zipHigh, zipLow } from "../simd/int8";
import { addScaled, chunkOf, STRIP } from "./int8-sum";
import { ACCUMULATE, B_NK } from "./layout";
import { setRows } from "./set-rows";

/** Columns whose sums are kept at once. */
const SPAN: i32 = 2048;
/** Bytes from one row of sums to the next. */
const ROW: i32 = SPAN * 4;
/** Parts of a chunk. */
const PARTS: i32 = 4;

/** Bytes of working memory that a product needs, 16-byte aligned; their contents do not matter. */
export function matvec_int8_workspace(): i32 {
  return 4 * ROW;
}

/**
 * @split columns of k
 * @workspace matvec_int8_workspace()
 */
export function matvec_int8(
  c: usize, q: usize, scalesA: usize, b: usize, scalesB: usize, m: i32, n: i32, k: i32, ldq: i32, ldb: i32, ldc: i32,
  layout: i32, bias: usize, workspace: usize, colStart: i32, colEnd: i32,
): void {
  assert(layout & B_NK);
  const rowQ = <usize>ldq << 1, rowB = <usize>ldb, depth = chunkOf(k);
  if (!(layout & ACCUMULATE)) setRows(c, ldc, m, bias, colStart, colEnd);
  for (let j = colStart; j < colEnd; j += SPAN) {
    const cols = min(SPAN, colEnd - j);
    for (let i = 0; i < m; i += 4) {
      const rows = min(4, m - i);
      for (let p = 0; p < k; p += depth) {
        dots(workspace, q + <usize>i * rowQ + (<usize>p << 1), b + <usize>j * rowB + <usize>p, rows, cols, min(depth, k - p), rowQ, rowB);
        addStrips(c, ldc, workspace, ROW, scalesA, scalesB, i, rows, j, cols);
      }
    }
  }
}

/**
 * How many parts the rows of a B stored [k, n] have.
 * @split never: it only counts
 */
export function matvec_int8_parts(k: i32): i32 {
  const chunk = chunkOf(k);
  return (k + chunk - 1) / chunk * PARTS;
}

/** @split items of n * k */
export function matvec_int8_rows(
  sums: usize, q: usize, b: usize, m: i32, n: i32, k: i32, ldq: i32, ldb: i32, start: i32, end: i32,
): void {
  const chunk = chunkOf(k), depth = (chunk / PARTS + 3) & ~3, rowB = <usize>ldb, size = <usize>(m * n) << 2;
  for (let s = start; s < end; s++) {
    const first = s / PARTS * chunk, p = first + s % PARTS * depth;
    addRows(sums + s * size, q + (<usize>p << 1), b + <usize>p * rowB, m, n, min(depth, min(first + chunk, k) - p), <usize>ldq << 1, rowB);
  }
}

/** @split items of m * k */
export function matvec_int8_sum(
  c: usize, sums: usize, scalesA: usize, scalesB: usize, m: i32, n: i32, k: i32, ldc: i32, layout: i32, bias: usize,
  start: i32, end: i32,
): void {
  const parts = matvec_int8_parts(k), row = <usize>n << 2, size = <usize>m * row;
  if (!(layout & ACCUMULATE)) setRows(c, ldc, m, bias, start, end);
  for (let s = 0; s < parts; s += PARTS, sums += PARTS * size) {
    for (let i = 0; i < m; i++) {
      for (let j = start; j < end; j++) {
        const at = sums + i * row + (<usize>j << 2);
        let sum = 0;
        for (let part = 0; part < PARTS; part++) sum += load<i32>(at + <usize>part * size);
        store<i32>(at, sum);
      }
    }
    addStrips(c, ldc, sums + (<usize>start << 2), row, scalesA, scalesB, 0, m, start, end - start);
  }
}

/** `addScaled` for any number of columns from j on, and rows from i on, of the whole product. */
function addStrips(
  c: usize, ldc: i32, sums: usize, rowSums: usize, scalesA: usize, scalesB: usize, i: i32, rows: i32, j: i32, cols: i32,
): void {
  const rowC = <usize>ldc << 2;
  for (let s = 0; s < cols; s += STRIP) {
    const skip = <usize>(j + s) << 2, out = c + <usize>i * rowC + skip;
    addScaled(
      out, rowC, out, rowC, sums + (<usize>s << 2), rowSums, scalesA + (<usize>i << 2), scalesB ? scalesB + skip : 0, rows,
      min(STRIP, cols - s),
    );
  }
}

/** sums[i, j] = Σ_p q[i, p]·b[j, p]: four columns at a time, as four long streams. */
function dots(sums: usize, q: usize, b: usize, rows: i32, cols: i32, terms: i32, rowQ: usize, rowB: usize): void {
  const quarter = cols >> 2;
  for (let j = 0, apart = <usize>quarter; j < cols; j++, b += rowB, sums += 4) {
    if (j == quarter) j = 4 * quarter, b += 3 * apart * rowB, sums += 3 * apart << 2, apart = 0;
    if (j == cols) break;
    for (let i = 0, to = sums, from = q, step = apart << 2; i < rows; i++, to += ROW, from += rowQ) {
      const four = fourColumns(from, b, apart * rowB, terms);
      v128.store_lane<u32>(to, four, 0), v128.store_lane<u32>(to + step, four, 1);
      v128.store_lane<u32>(to + 2 * step, four, 2), v128.store_lane<u32>(to + 3 * step, four, 3);
    }
  }
}

function fourColumns(q: usize, b: usize, row: usize, terms: i32): v128 {
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  let b1 = b + row, b2 = b1 + row, b3 = b2 + row;
  const end = b + <usize>(terms & ~7);
  for (; b < end; b += 8, b1 += 8, b2 += 8, b3 += 8, q += 16) {
    const v = v128.load(q);
    s0 = addDot(v, v128.load8x8_s(b), s0), s1 = addDot(v, v128.load8x8_s(b1), s1);
    s2 = addDot(v, v128.load8x8_s(b2), s2), s3 = addDot(v, v128.load8x8_s(b3), s3);
  }
  let sum = totals(s0, s1, s2, s3);
  for (terms &= 7; terms > 0; terms--, b++, b1++, b2++, b3++, q += 2) {
    const v = i32x4.splat(<i32>load<i16>(q));
    sum = i32x4.add(sum, i32x4.mul(v, fourBytes(load<i8>(b), load<i8>(b1), load<i8>(b2), load<i8>(b3))));
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function fourBytes(x0: i32, x1: i32, x2: i32, x3: i32): v128 {
  const v = i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(x0), 1, x1), 2, x2);
  return i32x4.replace_lane(v, 3, x3);
}

/** Lane i: the sum of the lanes of the i-th vector. */
// @ts-ignore: decorator
@inline
function totals(v0: v128, v1: v128, v2: v128, v3: v128): v128 {
  const v01 = i32x4.add(v128.shuffle<i32>(v0, v1, 0, 4, 1, 5), v128.shuffle<i32>(v0, v1, 2, 6, 3, 7));
  const v23 = i32x4.add(v128.shuffle<i32>(v2, v3, 0, 4, 1, 5), v128.shuffle<i32>(v2, v3, 2, 6, 3, 7));
  return i32x4.add(v128.shuffle<i64>(v01, v23, 0, 2), v128.shuffle<i64>(v01, v23, 1, 3));
}

/** sums[i, j] = Σ_p q[i, p]·b[p, j] for p < terms: four rows of B at a time, as four long streams. */
function addRows(sums: usize, q: usize, b: usize, m: i32, n: i32, terms: i32, rowQ: usize, rowB: usize): void {
  const quarter = max(terms, 0) >> 2, whole = n & ~15;
  memory.fill(sums, 0, (m * n) << 2);
  for (let p = 0; p < quarter; p++) {
    let to = sums, left = q + (<usize>p << 1);
    for (let i = 0; i < m; i++, to += <usize>n << 2, left += rowQ) {
      addFourRows(to, to + (<usize>whole << 2), left, <usize>quarter << 1, b + <usize>p * rowB, quarter * rowB);
    }
  }
  for (let i = 0; i < m; i++, sums += <usize>n << 2, q += rowQ) {
    for (let p = 0; p < terms; p++) {
      for (let j = p < 4 * quarter ? whole : 0; j < n; j++) {
        const to = sums + (<usize>j << 2);
        store<i32>(to, load<i32>(to) + <i32>load<i16>(q + (<usize>p << 1)) * <i32>load<i8>(b + <usize>p * rowB + <usize>j));
      }
    }
  }
}

function addFourRows(sums: usize, end: usize, q: usize, stepQ: usize, b: usize, step: usize): void {
  const a0 = pair(q, q + stepQ), a1 = pair(q + 2 * stepQ, q + 3 * stepQ);
  for (let b2 = b + 2 * step; sums < end; sums += 64, b += 16, b2 += 16) {
    let v0 = v128.load(b), v1 = v128.load(b + step);
    let low = zipLow(v0, v1), high = zipHigh(v0, v1);
    let s0 = addDot(a0, i16x8.extend_low_i8x16_s(low), v128.load(sums));
    let s1 = addDot(a0, i16x8.extend_high_i8x16_s(low), v128.load(sums, 16));
    let s2 = addDot(a0, i16x8.extend_low_i8x16_s(high), v128.load(sums, 32));
    let s3 = addDot(a0, i16x8.extend_high_i8x16_s(high), v128.load(sums, 48));
    v0 = v128.load(b2), v1 = v128.load(b2 + step);
    low = zipLow(v0, v1), high = zipHigh(v0, v1);
    s0 = addDot(a1, i16x8.extend_low_i8x16_s(low), s0), s1 = addDot(a1, i16x8.extend_high_i8x16_s(low), s1);
    s2 = addDot(a1, i16x8.extend_low_i8x16_s(high), s2), s3 = addDot(a1, i16x8.extend_high_i8x16_s(high), s3);
    v128.store(sums, s0), v128.store(sums, s1, 16), v128.store(sums, s2, 32), v128.store(sums, s3, 48);
  }
}

/** Two numbers of q, in turn. */
// @ts-ignore: decorator
@inline
function pair(q0: usize, q1: usize): v128 {
  return i32x4.splat(<i32>load<u16>(q0) | (<i32>load<i16>(q1) << 16));
}
