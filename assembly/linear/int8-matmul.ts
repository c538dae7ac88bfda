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
 * No sum overflows with q up to ±2¹⁴ = ±16384, the limit to quantize to: see int8-sum.ts. Blocking and ranges are those of matmul.ts.
 */
import { DIGITS, dotFillA, dotFillB, dotSliverA } from "./int8-dot-fill";
import { fillA, fillB } from "./int8-fill";
import { addScaled, chunkOf, DEPTH, STRIP } from "./int8-sum";
import { COLS, ROWS, tileInt8 } from "./int8-tile";
import { ACCUMULATE, B_NK } from "./layout";

/** Most rows of A packed at once: with DEPTH, 1 MB. */
const HEIGHT: i32 = DOT ? 340 : 520;

/** Bytes of working memory that a product needs, 16-byte aligned; their contents do not matter. */
export function matmul_int8_workspace(): i32 {
  return ZEROS + SUMS + (STRIP + HEIGHT) * DEPTH * (DOT ? DIGITS : 2);
}
const ZEROS: i32 = STRIP * 4;
const SUMS: i32 = HEIGHT * STRIP * 4;

/**
 * @split tiles of k
 * @workspace matmul_int8_workspace()
 */
export function matmul_int8(
  c: usize, q: usize, scalesA: usize, b: usize, scalesB: usize, m: i32, n: i32, k: i32, ldq: i32, ldb: i32, ldc: i32,
  layout: i32, bias: usize, workspace: usize, rowStart: i32, rowEnd: i32, colStart: i32, colEnd: i32,
): void {
  const rowC = <usize>ldc << 2, rowQ = <usize>ldq << 1, rowB = <usize>ldb;
  const down = (layout & B_NK) != 0;
  const sums = workspace + ZEROS;
  const sliversB = sums + SUMS;
  const blockA = sliversB + STRIP * DEPTH * 2;
  memory.fill(workspace, 0, ZEROS);
  const depth = chunkOf(k), height = evenHeight(rowEnd - rowStart);
  for (let i = rowStart; i < rowEnd; i += height) {
    const rows = min(height, rowEnd - i);
    for (let p = 0; p < k; p += depth) {
      const terms = min(depth, k - p), steps = DOT ? (terms + 3) >> 2 : (terms + 1) >> 1;
      const sliverB = <usize>(steps * COLS << 2);
      fillBlockA(blockA, q + <usize>i * rowQ + (<usize>p << 1), rowQ, rows, terms, steps);
      const first = p == 0 && !(layout & ACCUMULATE);
      for (let j = colStart; j < colEnd; j += STRIP) {
        const cols = min(STRIP, colEnd - j), skip = <usize>j << 2;
        const src = b + (down ? <usize>j * rowB + <usize>p : <usize>p * rowB + <usize>j);
        if (DOT) dotFillB(sliversB, src, rowB, down, cols, terms);
        else fillB(sliversB, sliverB, src, rowB, down, cols, terms);
        sweep(blockA, sliversB, steps, sums, rows, workspace);
        if (COLS < STRIP && cols > COLS) sweep(blockA, sliversB + sliverB, steps, sums + (COLS << 2), rows, workspace);
        const out = c + <usize>i * rowC + skip;
        const from = !first ? out : bias ? bias + skip : workspace;
        addScaled(
          out, rowC, from, first ? 0 : rowC, sums, STRIP << 2, scalesA + (<usize>i << 2), scalesB ? scalesB + skip : 0,
          rows, cols,
        );
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

/** Bytes of a sliver of A. */
// @ts-ignore: decorator
@inline
function sliverA(steps: i32): usize {
  return DOT ? dotSliverA(steps) : <usize>(steps * ROWS << 2);
}

function fillBlockA(block: usize, q: usize, row: usize, rows: i32, terms: i32, steps: i32): void {
  for (; rows > 0; rows -= ROWS, block += sliverA(steps), q += <usize>ROWS * row) {
    if (DOT) dotFillA(block, q, row, min(rows, ROWS), terms);
    else fillA(block, q, row, min(rows, ROWS), steps);
  }
}

/**
 * One sliver of B against the whole block of A: COLS columns of the sums [rows, STRIP].
 *
 * The first tile has a separate call so that the optimizer does not inline the other: V8 11 unrolls a loop within a
 * loop, runs out of registers, and does half as well.
 */
function sweep(a: usize, b: usize, steps: i32, sums: usize, rows: i32, zeros: usize): void {
  tileInt8(a, b, steps, sums, STRIP << 2, zeros);
  for (rows -= ROWS; rows > 0; rows -= ROWS) {
    a += sliverA(steps), sums += ROWS * STRIP << 2;
    tileInt8(a, b, steps, sums, STRIP << 2, zeros);
  }
}
