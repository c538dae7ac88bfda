/**
 * Products with int8 weights in integer arithmetic: twice as many multiply-adds to an instruction as in f32.
 *
 *   C[i, j] (+)= bias[j] + scalesA[i]·scalesB[j]·Σ_p q[i, p]·b[p, j]
 *
 *   c [m, n] f32   q [m, k] i16 and scalesA [m], of quantize_rows_i16   bias [n] or 0
 *   b [n, k] or [k, n] i8, −127..127   scalesB [n], or 0 where all are 1
 *   layout   B_NK and ACCUMULATE of layout.ts
 *   ld*      elements from one stored row to the next; ldq is even, and q is 0 in k..ldq
 *
 *   forward    y  = x·Wᵀ + bias     q of x            scalesB: the scales of W's rows
 *   backward   dx = dy·W            q of dy·scales    scalesB 0
 *
 * Any q is safe, up to ±32767: see int8-sum.ts. Blocking and ranges are those of matmul.ts.
 */
import { loadPart, storePart } from "../simd/part";
import { fillA, fillB, sliverA } from "./int8-fill";
import { chunkOf, DEPTH } from "./int8-sum";
import { COLS, ROWS, tileInt8 } from "./int8-tile";
import { ACCUMULATE, B_NK } from "./layout";

/** Most rows of A packed at once: with DEPTH, 0.5 MB. */
const HEIGHT: i32 = 520;

/** Bytes of working memory that a product needs, 16-byte aligned; their contents do not matter. */
export function matmul_int8_workspace(): i32 {
  return ZEROS + SCRATCH + SLIVER_B + HEIGHT / ROWS * sliverA(DEPTH / 2);
}
const ZEROS: i32 = COLS * 4;
const SCRATCH: i32 = ROWS * COLS * 4;
const SLIVER_B: i32 = (DEPTH / 2 + 1) * COLS * 4;

export function matmul_int8(
  c: usize, q: usize, scalesA: usize, b: usize, scalesB: usize, m: i32, n: i32, k: i32, ldq: i32, ldb: i32, ldc: i32,
  layout: i32, bias: usize, workspace: usize, rowStart: i32, rowEnd: i32, colStart: i32, colEnd: i32,
): void {
  const rowC = <usize>ldc << 2, rowQ = <usize>ldq << 1, rowB = <usize>ldb;
  const down = (layout & B_NK) != 0;
  const scratch = workspace + ZEROS;
  const sliverB = scratch + SCRATCH;
  const blockA = sliverB + SLIVER_B;
  memory.fill(workspace, 0, ZEROS);
  const depth = chunkOf(k), height = evenHeight(rowEnd - rowStart);
  for (let i = rowStart; i < rowEnd; i += height) {
    const rows = min(height, rowEnd - i);
    for (let p = 0; p < k; p += depth) {
      const terms = min(depth, k - p), pairs = (terms + 1) >> 1;
      fillBlockA(blockA, q + <usize>i * rowQ + (<usize>p << 1), rowQ, scalesA + (<usize>i << 2), rows, pairs);
      const first = p == 0 && !(layout & ACCUMULATE);
      for (let j = colStart; j < colEnd; j += COLS) {
        const cols = min(COLS, colEnd - j);
        const src = b + (down ? <usize>j * rowB + <usize>p : <usize>p * rowB + <usize>j);
        fillB(sliverB, src, rowB, down, scalesB ? scalesB + (<usize>j << 2) : 0, cols, terms);
        const out = c + <usize>i * rowC + (<usize>j << 2);
        const from = !first ? out : bias ? bias + (<usize>j << 2) : workspace;
        sweep(blockA, sliverB, pairs, out, rowC, from, first ? 0 : rowC, rows, cols, scratch);
      }
    }
  }
}

/** Splits `rows` into equal blocks of whole tiles. */
function evenHeight(rows: i32): i32 {
  const blocks = (rows + HEIGHT - 1) / HEIGHT;
  const share = (rows + blocks - 1) / max(blocks, 1);
  return max((share + ROWS - 1) / ROWS, 1) * ROWS;
}

function fillBlockA(block: usize, q: usize, row: usize, scales: usize, rows: i32, pairs: i32): void {
  for (; rows > 0; rows -= ROWS, block += sliverA(pairs), q += <usize>ROWS * row, scales += ROWS << 2) {
    fillA(block, q, row, scales, min(rows, ROWS), pairs);
  }
}

/** One sliver of B against the whole block of A. Tiles at C's edge are computed in `scratch`. */
function sweep(
  a: usize, b: usize, pairs: i32, c: usize, rowC: usize, from: usize, rowFrom: usize, rows: i32, cols: i32, scratch: usize,
): void {
  for (; rows > 0; rows -= ROWS, a += sliverA(pairs), c += <usize>ROWS * rowC, from += <usize>ROWS * rowFrom) {
    if (rows >= ROWS && cols == COLS) {
      tileInt8(a, b, pairs, c, rowC, from, rowFrom);
    } else {
      const inside = min(rows, ROWS);
      copy(scratch, COLS << 2, from, rowFrom, inside, cols);
      tileInt8(a, b, pairs, scratch, COLS << 2, scratch, COLS << 2);
      copy(c, rowC, scratch, COLS << 2, inside, cols);
    }
  }
}

function copy(to: usize, rowTo: usize, from: usize, rowFrom: usize, rows: i32, cols: i32): void {
  for (let i = 0; i < rows; i++, to += rowTo, from += rowFrom) {
    storePart(to, loadPart(from, cols), cols);
    if (cols > 4) storePart(to + 16, loadPart(from + 16, cols - 4), cols - 4);
  }
}
