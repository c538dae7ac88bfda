/**
 * The matmul of every linear layer, forward and backward, with the low-rank delta inside it.
 *
 *   C[i, j] (+)= bias[j] + Σ_p A[i, p]·B[p, j] + scale·Σ_q A2[i, q]·B2[q, j]
 *
 *   c [m, n]   a [m, k] or [k, m]   b [n, k] or [k, n], of the kernel's dtype   bias [n] or 0
 *   a2 [m, r]  b2 [n, r] or [r, n]  r = 0: no low-rank part
 *   layout     which of them, and whether C is overwritten: bits of layout.ts
 *   ld*        elements from one stored row to the next
 *
 *   forward    y  = x·Wᵀ + bias + s·t·Bᵀ      B_NK | B2_NK
 *   backward   dx = dy·W + s·u·A              0
 *   full       dW = dyᵀ·x                     A_KM | ACCUMULATE
 *
 * Only rows rowStart..rowEnd and columns colStart..colEnd of C are computed; every element is one sum in order of p, then q,
 * so its bits do not depend on the range. `workspace` is matmul_workspace() bytes, one for each simultaneous caller.
 *
 * As in BLIS: a block of A (the L2 cache's share) is packed once, B goes through one sliver at a time, which
 * stays in L1 while it meets the whole block. The delta is just more depth: columns k..k+r of the packed operands are
 * scale·A2 and B2. With m rows the filling costs about 1/m of the work, so below 5 rows matvec.ts is the better kernel.
 *
 * matmul_nf4 has a whole tensor of simd/nf4-read.ts for b, and begins at its element `first`.
 *
 * batched_matmul_f32 does many products of one size, as of the blocks of a block-diagonal matrix: item e at
 * c + e·strideC, a + e·strideA and b + e·strideB elements. start, end: range of items.
 */
import { BF16, F16 } from "../simd/half";
import { NF4 } from "../simd/nf4-read";
import { loadPart, storePart } from "../simd/part";
import { fill, fillScaled } from "./fill";
import { A_KM, ACCUMULATE, B2_NK, B_NK, FEW_LOADS } from "./layout";
import { fillNf4 } from "./nf4-fill";
import { COLS, FEWER_ROWS, ROWS, tile, tileByLanes } from "./tile";

/**
 * Most rows of A packed at once: with DEPTH, 0.5 MB.
 * @host MATMUL_HEIGHT
 */
const HEIGHT: i32 = 360;
/** Most terms of a sum per pass over C: a sliver of each operand, 22 KB, in L1. */
const DEPTH: i32 = WIDE ? 256 : 400;

/** Bytes of working memory that a matmul needs, 16-byte aligned; their contents do not matter. */
export function matmul_workspace(): i32 {
  return ZEROS + SCRATCH + WIDENED + (HEIGHT + ROWS + COLS) * DEPTH * 4;
}
const ZEROS: i32 = COLS * 4;
const SCRATCH: i32 = ROWS * COLS * 4;
/** Columns of B in four bits, before they are a sliver. */
const WIDENED: i32 = COLS * DEPTH * 4;

/**
 * @split tiles of k + r
 * @workspace matmul_workspace()
 */
export function matmul_f32(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, workspace: usize,
  rowStart: i32, rowEnd: i32, colStart: i32, colEnd: i32,
): void {
  matmul<f32>(
    c, a, b, 0, k, lda, ldb, ldc, layout, bias, a2, b2, r, lda2, ldb2, scale, workspace, rowStart, rowEnd, colStart, colEnd,
  );
}

/**
 * @split tiles of k + r
 * @workspace matmul_workspace()
 */
export function matmul_f16(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, workspace: usize,
  rowStart: i32, rowEnd: i32, colStart: i32, colEnd: i32,
): void {
  matmul<F16>(
    c, a, b, 0, k, lda, ldb, ldc, layout, bias, a2, b2, r, lda2, ldb2, scale, workspace, rowStart, rowEnd, colStart, colEnd,
  );
}

/**
 * @split tiles of k + r
 * @workspace matmul_workspace()
 */
export function matmul_bf16(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, workspace: usize,
  rowStart: i32, rowEnd: i32, colStart: i32, colEnd: i32,
): void {
  matmul<BF16>(
    c, a, b, 0, k, lda, ldb, ldc, layout, bias, a2, b2, r, lda2, ldb2, scale, workspace, rowStart, rowEnd, colStart, colEnd,
  );
}

/**
 * @split tiles of k + r
 * @workspace matmul_workspace()
 */
export function matmul_nf4(
  c: usize, a: usize, b: usize, first: i32, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, workspace: usize,
  rowStart: i32, rowEnd: i32, colStart: i32, colEnd: i32,
): void {
  matmul<NF4>(
    c, a, b, first, k, lda, ldb, ldc, layout, bias, a2, b2, r, lda2, ldb2, scale, workspace,
    rowStart, rowEnd, colStart, colEnd,
  );
}

/**
 * @split items of strideC
 * @workspace matmul_workspace()
 */
export function batched_matmul_f32(
  c: usize, a: usize, b: usize, strideC: i32, strideA: i32, strideB: i32,
  m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, workspace: usize, start: i32, end: i32,
): void {
  const stepC = <usize>strideC << 2, stepA = <usize>strideA << 2, stepB = <usize>strideB << 2;
  c += <usize>start * stepC, a += <usize>start * stepA, b += <usize>start * stepB;
  for (let item = start; item < end; item++, c += stepC, a += stepA, b += stepB) {
    matmul<f32>(c, a, b, 0, k, lda, ldb, ldc, layout, 0, 0, 0, 0, 0, 0, 0, workspace, 0, m, 0, n);
  }
}

function matmul<T>(
  c: usize, a: usize, b: usize, firstB: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, workspace: usize,
  rowStart: i32, rowEnd: i32, colStart: i32, colEnd: i32,
): void {
  const rowC = <usize>ldc << 2;
  const scratch = workspace + ZEROS;
  const widened = scratch + SCRATCH;
  const sliverB = widened + WIDENED;
  const blockA = sliverB + COLS * DEPTH * 4;
  memory.fill(workspace, 0, ZEROS);
  const total = k + r;
  const few = !WIDE && (layout & FEW_LOADS) != 0;
  const depth = evenShare(total, DEPTH, 1), height = evenShare(rowEnd - rowStart, HEIGHT, few ? FEWER_ROWS : ROWS);
  for (let i = rowStart; i < rowEnd; i += height) {
    const rows = min(height, rowEnd - i);
    for (let p = 0; p < total; p += depth) {
      const pEnd = min(p + depth, total);
      if (few) fillBlockA(blockA, FEWER_ROWS, a, lda, layout, a2, lda2, scale, i, i + rows, p, pEnd, k);
      else fillBlockA(blockA, ROWS, a, lda, layout, a2, lda2, scale, i, i + rows, p, pEnd, k);
      const first = p == 0 && !(layout & ACCUMULATE);
      for (let j = colStart; j < colEnd; j += COLS) {
        const cols = min(COLS, colEnd - j);
        fillSliverB<T>(sliverB, b, firstB, ldb, layout, b2, ldb2, j, cols, p, pEnd, k, widened);
        const out = c + <usize>i * rowC + (<usize>j << 2);
        const from = !first ? out : bias ? bias + (<usize>j << 2) : workspace;
        if (few) sweep(blockA, sliverB, pEnd - p, out, rowC, from, first ? 0 : rowC, rows, cols, scratch, true);
        else sweep(blockA, sliverB, pEnd - p, out, rowC, from, first ? 0 : rowC, rows, cols, scratch, false);
      }
    }
  }
}

/** The smallest multiple of `unit` that splits `size` into equal parts of at most `most`. */
function evenShare(size: i32, most: i32, unit: i32): i32 {
  const parts = (size + most - 1) / most;
  const share = (size + parts - 1) / max(parts, 1);
  return max((share + unit - 1) / unit, 1) * unit;
}

/** Rows i..iEnd and terms p..pEnd of [A | scale·A2], sliver after sliver. */
// @ts-ignore: decorator
@inline
function fillBlockA(
  block: usize, width: i32, a: usize, lda: i32, layout: i32, a2: usize, lda2: i32, scale: f32,
  i: i32, iEnd: i32, p: i32, pEnd: i32, k: i32,
): void {
  const across = (layout & A_KM) != 0;
  const row = <usize>lda << 2, row2 = <usize>lda2 << 2;
  const depth = max(min(pEnd, k) - p, 0), depth2 = pEnd - p - depth;
  for (; i < iEnd; i += width) {
    const lanes = min(width, iEnd - i);
    const down = <usize>i, right = <usize>p;
    if (depth > 0) {
      fill<f32>(block, width, a + (across ? right * row + (down << 2) : down * row + (right << 2)), row, across, lanes, depth);
      block += depth * width << 2;
    }
    if (depth2 > 0) {
      const q = <usize>(p + depth - k);
      fillScaled<f32>(block, <usize>(width << 2), width, a2 + down * row2 + (q << 2), row2, 4, lanes, depth2, scale);
      block += depth2 * width << 2;
    }
  }
}

/** Columns j..j+cols and terms p..pEnd of B with B2 below it. */
function fillSliverB<T>(
  sliver: usize, b: usize, firstB: i32, ldb: i32, layout: i32, b2: usize, ldb2: i32,
  j: i32, cols: i32, p: i32, pEnd: i32, k: i32, widened: usize,
): void {
  const depth = max(min(pEnd, k) - p, 0), depth2 = pEnd - p - depth;
  if (depth > 0) {
    const across = !(layout & B_NK);
    const at = element(j, p, ldb, across);
    if (sizeof<T>() == 1) fillNf4(sliver, b, firstB + <i32>at, ldb, across, cols, depth, widened);
    else fill<T>(sliver, COLS, b + at * sizeof<T>(), <usize>ldb * sizeof<T>(), across, cols, depth);
  }
  if (depth2 > 0) {
    const across = !(layout & B2_NK);
    const src = b2 + (element(j, p + depth - k, ldb2, across) << 2);
    fill<f32>(sliver + (depth * COLS << 2), COLS, src, <usize>ldb2 << 2, across, cols, depth2);
  }
}

/** Index of lane i, term p in a stored matrix. */
// @ts-ignore: decorator
@inline
function element(i: i32, p: i32, ld: i32, across: bool): usize {
  return across ? <usize>p * <usize>ld + <usize>i : <usize>i * <usize>ld + <usize>p;
}

/** One sliver of B against the whole block of A. Tiles at C's edge are computed in `scratch`. */
// @ts-ignore: decorator
@inline
function sweep(
  a: usize, b: usize, depth: i32, c: usize, rowC: usize, from: usize, rowFrom: usize, rows: i32, cols: i32, scratch: usize,
  few: bool,
): void {
  const height = few ? FEWER_ROWS : ROWS;
  const sliver = <usize>(depth * height << 2);
  for (; rows > 0; rows -= height, a += sliver, c += <usize>height * rowC, from += <usize>height * rowFrom) {
    if (rows >= height && cols == COLS) {
      if (few) tileByLanes(a, b, depth, c, rowC, from, rowFrom);
      else tile(a, b, depth, c, rowC, from, rowFrom);
    } else {
      const inside = min(rows, height);
      copy(scratch, COLS << 2, from, rowFrom, inside, cols);
      if (few) tileByLanes(a, b, depth, scratch, COLS << 2, scratch, COLS << 2);
      else tile(a, b, depth, scratch, COLS << 2, scratch, COLS << 2);
      copy(c, rowC, scratch, COLS << 2, inside, cols);
    }
  }
}

function copy(to: usize, rowTo: usize, from: usize, rowFrom: usize, rows: i32, cols: i32): void {
  for (let i = 0; i < rows; i++, to += rowTo, from += rowFrom) {
    for (let j = 0; j < cols; j += 4) storePart(to + (j << 2), loadPart(from + (j << 2), cols - j), cols - j);
  }
}
