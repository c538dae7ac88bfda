/**
 * The product of int8-matmul.ts for one to a few rows, as in decoding: nothing is packed and B is read from memory once (once
 * for every four rows). Arguments as there, but the range is of columns. The results are the same bits.
 *
 * With B stored [n, k] each element is a dot product along a row of B. With [k, n], sums of SPAN columns and four rows
 * stay in `workspace` while the rows of B go by, eight at a time.
 */
import { addDot, zipHigh, zipLow } from "../simd/int8";
import { addScaled, chunkOf, STRIP } from "./int8-sum";
import { ACCUMULATE, B_NK } from "./layout";

/** Columns whose sums are kept at once. */
const SPAN: i32 = 2048;
/** Bytes from one row of sums to the next. */
const ROW: i32 = SPAN * 4;

/** Bytes of working memory that a product needs, 16-byte aligned; their contents do not matter. */
export function matvec_int8_workspace(): i32 {
  return ZEROS + 4 * ROW;
}
const ZEROS: i32 = STRIP * 4;

/**
 * @split columns of k
 * @workspace matvec_int8_workspace()
 */
export function matvec_int8(
  c: usize, q: usize, scalesA: usize, b: usize, scalesB: usize, m: i32, n: i32, k: i32, ldq: i32, ldb: i32, ldc: i32,
  layout: i32, bias: usize, workspace: usize, colStart: i32, colEnd: i32,
): void {
  const rowC = <usize>ldc << 2, rowQ = <usize>ldq << 1, rowB = <usize>ldb;
  const down = (layout & B_NK) != 0;
  const sums = workspace + ZEROS;
  const depth = chunkOf(k);
  memory.fill(workspace, 0, ZEROS);
  for (let j = colStart; j < colEnd; j += SPAN) {
    const cols = min(SPAN, colEnd - j);
    for (let i = 0; i < m; i += 4) {
      const rows = min(4, m - i);
      for (let p = 0; p < k; p += depth) {
        const terms = min(depth, k - p);
        const left = q + <usize>i * rowQ + (<usize>p << 1);
        const right = b + (down ? <usize>j * rowB + <usize>p : <usize>p * rowB + <usize>j);
        if (down) dots(sums, left, right, rows, cols, terms, rowQ, rowB);
        else addRows(sums, left, right, rows, cols, terms, rowQ, rowB);
        const first = p == 0 && !(layout & ACCUMULATE);
        for (let s = 0; s < cols; s += STRIP) {
          const skip = <usize>(j + s) << 2;
          const out = c + <usize>i * rowC + skip;
          const from = !first ? out : bias ? bias + skip : workspace;
          addScaled(
            out, rowC, from, first ? 0 : rowC, sums + (<usize>s << 2), ROW, scalesA + (<usize>i << 2),
            scalesB ? scalesB + skip : 0, rows, min(STRIP, cols - s),
          );
        }
      }
    }
  }
}

/** sums[i, j] = Σ_p q[i, p]·b[j, p]: four columns of one row, or one column of four rows, at a time. */
function dots(sums: usize, q: usize, b: usize, rows: i32, cols: i32, terms: i32, rowQ: usize, rowB: usize): void {
  let j = 0;
  if (rows == 1) {
    for (; j <= cols - 4; j += 4, b += 4 * rowB, sums += 16) v128.store(sums, fourColumns(q, b, rowB, terms));
  }
  for (; j < cols; j++, b += rowB, sums += 4) {
    const last = rows - 1;
    const row1 = <usize>min(1, last), row2 = <usize>min(2, last), row3 = <usize>last;
    const four = fourRows(q, row1 * rowQ, row2 * rowQ, row3 * rowQ, b, terms);
    v128.store_lane<u32>(sums, four, 0), v128.store_lane<u32>(sums + row1 * ROW, four, 1);
    v128.store_lane<u32>(sums + row2 * ROW, four, 2), v128.store_lane<u32>(sums + row3 * ROW, four, 3);
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

function fourRows(q: usize, row1: usize, row2: usize, row3: usize, b: usize, terms: i32): v128 {
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  const end = b + <usize>(terms & ~7);
  for (; b < end; b += 8, q += 16) {
    const v = v128.load8x8_s(b);
    s0 = addDot(v128.load(q), v, s0), s1 = addDot(v128.load(q + row1), v, s1);
    s2 = addDot(v128.load(q + row2), v, s2), s3 = addDot(v128.load(q + row3), v, s3);
  }
  let sum = totals(s0, s1, s2, s3);
  for (terms &= 7; terms > 0; terms--, b++, q += 2) {
    const four = fourBytes(load<i16>(q), load<i16>(q + row1), load<i16>(q + row2), load<i16>(q + row3));
    sum = i32x4.add(sum, i32x4.mul(four, i32x4.splat(<i32>load<i8>(b))));
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

/** sums[i, j] = Σ_p q[i, p]·b[p, j]. */
function addRows(sums: usize, q: usize, b: usize, rows: i32, cols: i32, terms: i32, rowQ: usize, rowB: usize): void {
  for (let i = 0; i < rows; i++) memory.fill(sums + <usize>i * ROW, 0, cols << 2);
  for (let p = 0; p < terms; p += 8, b += 8 * rowB, q += 16) {
    let to = sums, left = q;
    for (let i = 0; i < rows; i++, to += ROW, left += rowQ) {
      if (p <= terms - 8) addEightRows(to, left, b, cols, rowB);
      else addFewRows(to, left, b, 0, cols, terms - p, rowB);
    }
  }
}

function addEightRows(sums: usize, q: usize, b: usize, cols: i32, row: usize): void {
  const a0 = v128.load32_splat(q), a1 = v128.load32_splat(q, 4), a2 = v128.load32_splat(q, 8), a3 = v128.load32_splat(q, 12);
  const whole = cols & ~15, row2 = 2 * row, row4 = 4 * row;
  for (let j = 0; j < whole; j += 16) {
    const to = sums + (<usize>j << 2), from = b + <usize>j;
    let s0 = v128.load(to), s1 = v128.load(to, 16), s2 = v128.load(to, 32), s3 = v128.load(to, 48);
    let v0 = v128.load(from), v1 = v128.load(from + row);
    let low = zipLow(v0, v1), high = zipHigh(v0, v1);
    s0 = addDot(a0, i16x8.extend_low_i8x16_s(low), s0), s1 = addDot(a0, i16x8.extend_high_i8x16_s(low), s1);
    s2 = addDot(a0, i16x8.extend_low_i8x16_s(high), s2), s3 = addDot(a0, i16x8.extend_high_i8x16_s(high), s3);
    v0 = v128.load(from + row2), v1 = v128.load(from + row2 + row);
    low = zipLow(v0, v1), high = zipHigh(v0, v1);
    s0 = addDot(a1, i16x8.extend_low_i8x16_s(low), s0), s1 = addDot(a1, i16x8.extend_high_i8x16_s(low), s1);
    s2 = addDot(a1, i16x8.extend_low_i8x16_s(high), s2), s3 = addDot(a1, i16x8.extend_high_i8x16_s(high), s3);
    v0 = v128.load(from + row4), v1 = v128.load(from + row4 + row);
    low = zipLow(v0, v1), high = zipHigh(v0, v1);
    s0 = addDot(a2, i16x8.extend_low_i8x16_s(low), s0), s1 = addDot(a2, i16x8.extend_high_i8x16_s(low), s1);
    s2 = addDot(a2, i16x8.extend_low_i8x16_s(high), s2), s3 = addDot(a2, i16x8.extend_high_i8x16_s(high), s3);
    v0 = v128.load(from + row4 + row2), v1 = v128.load(from + row4 + row2 + row);
    low = zipLow(v0, v1), high = zipHigh(v0, v1);
    s0 = addDot(a3, i16x8.extend_low_i8x16_s(low), s0), s1 = addDot(a3, i16x8.extend_high_i8x16_s(low), s1);
    s2 = addDot(a3, i16x8.extend_low_i8x16_s(high), s2), s3 = addDot(a3, i16x8.extend_high_i8x16_s(high), s3);
    v128.store(to, s0), v128.store(to, s1, 16), v128.store(to, s2, 32), v128.store(to, s3, 48);
  }
  addFewRows(sums, q, b, whole, cols, 8, row);
}

/** Columns start..end, `terms` rows, one number at a time. */
function addFewRows(sums: usize, q: usize, b: usize, start: i32, end: i32, terms: i32, row: usize): void {
  for (let j = start; j < end; j++) {
    let sum = load<i32>(sums + (<usize>j << 2)), from = b + <usize>j;
    for (let p = 0; p < terms; p++, from += row) sum += <i32>load<i16>(q + (<usize>p << 1)) * <i32>load<i8>(from);
    store<i32>(sums + (<usize>j << 2), sum);
  }
}
