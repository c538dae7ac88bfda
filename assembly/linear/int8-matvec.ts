/**
 * The product of int8-matmul.ts for one to a few rows, as in decoding: nothing is packed and B is read from memory once (once
 * for every four rows). Arguments as there, but the range is of columns. The results are the same bits.
 *
 * With B stored [n, k] each element is a dot product along a row of B. With [k, n], sums of SPAN columns and four rows
 * stay in `workspace` while the rows of B go by, eight at a time.
 */
import { addScaled, chunkOf, STRIP } from "./int8-sum";
import { ACCUMULATE, B_NK } from "./layout";

const SPAN: i32 = 2048;

/** Bytes of working memory that a product needs, 16-byte aligned; their contents do not matter. */
export function matvec_int8_workspace(): i32 {
  return ZEROS + 4 * SPAN * 4;
}
const ZEROS: i32 = STRIP * 4;

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
            out, rowC, from, first ? 0 : rowC, sums + (<usize>s << 2), SPAN << 2, scalesA + (<usize>i << 2),
            scalesB ? scalesB + skip : 0, rows, min(STRIP, cols - s),
          );
        }
      }
    }
  }
}

/** sums[i, j] = Σ_p q[i, p]·b[j, p]. */
function dots(sums: usize, q: usize, b: usize, rows: i32, cols: i32, terms: i32, rowQ: usize, rowB: usize): void {
  for (let j = 0; j < cols; j++, b += rowB, sums += 4) {
    for (let i = 0; i < rows; i++) store<i32>(sums + (<usize>(i * SPAN) << 2), dot(q + <usize>i * rowQ, b, terms));
  }
}

function dot(q: usize, b: usize, terms: i32): i32 {
  let sum = i32x4.splat(0);
  const end = b + <usize>terms, end8 = b + <usize>(terms & ~7);
  for (; b < end8; b += 8, q += 16) sum = i32x4.add(sum, i32x4.dot_i16x8_s(v128.load(q), v128.load8x8_s(b)));
  let total = i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3);
  for (; b < end; b++, q += 2) total += <i32>load<i16>(q) * <i32>load<i8>(b);
  return total;
}

/** sums[i, j] = Σ_p q[i, p]·b[p, j]. */
function addRows(sums: usize, q: usize, b: usize, rows: i32, cols: i32, terms: i32, rowQ: usize, rowB: usize): void {
  for (let i = 0; i < rows; i++) {
    const row = sums + (<usize>(i * SPAN) << 2);
    memory.fill(row, 0, cols << 2);
    for (let p = 0; p < terms; p++) {
      const value = <i32>load<i16>(q + <usize>i * rowQ + (<usize>p << 1));
      const from = b + <usize>p * rowB;
      for (let j = 0; j < cols; j++) {
        const at = row + (<usize>j << 2);
        store<i32>(at, load<i32>(at) + value * <i32>load<i8>(from + <usize>j));
      }
    }
  }
}
