/**
 * The product of matvec.ts for B stored [k, n], whose rows are added up: in parts of `depth` rows, each a separate sum.
 *
 *   sums[s, i, j] = Σ_{s·depth ≤ p < (s+1)·depth} A[i, p]·B[p, j]        range: parts
 *   C[i, j] (+)= bias[j] + scale·Σ_s sums[s, i, j]                       range: columns
 *
 *   sums [parts, m, n] f32   a [m, lda] f32   b [k, ldb] of the dtype; a whole tensor of simd/nf4-read.ts, from element `first` on   c [m, ldc] f32   bias [n] or 0   layout: ACCUMULATE of layout.ts
 *
 * Threads share parts and not columns, since whole rows one after the other are the only order in which memory is read at its
 * full rate: half rows come in at a third of it (measured). `depth` sets the order of summation, so it must not depend on the threads.
 * A part is read as four streams, each a quarter of its rows; more rows of B at once save reading and writing the sums.
 */
import { BF16, F16, isBrain, load1, load4, loadFirst, loadSecond } from "../simd/half";
import { interleave } from "../simd/interleave";
import { madd } from "../simd/lanes";
import { widen } from "../simd/nf4-read";
import { loadPart, storePart } from "../simd/part";
import { ACCUMULATE } from "./layout";

/** Dtypes of B: f32, bfloat16, IEEE half, NF4. The host has them too. */
const FLOAT: i32 = 0;
const BRAIN: i32 = 1;
const HALF: i32 = 2;
const FOUR: i32 = 4;
/** Those that are widened to f32 on their way, four rows at a time. */
const WIDENED: i32 = HALF | FOUR;
/** Columns of B that stay in the cache while several rows of A meet them. */
const SPAN: i32 = 512;

/** Bytes of working memory that widening takes, 16-byte aligned; their contents do not matter. */
export function matvec_rows_workspace(n: i32): i32 {
  return 4 * n << 2;
}

/**
 * @split items of n * depth
 * @workspace matvec_rows_workspace(n)
 */
export function matvec_rows(
  sums: usize, a: usize, b: usize, first: i32, dtype: i32, m: i32, n: i32, k: i32, lda: i32, ldb: i32, depth: i32,
  workspace: usize, start: i32, end: i32,
): void {
  const rowB = <usize>ldb << (dtype == FLOAT ? 2 : 1), rowA = <usize>lda << 2, rowC = <usize>n << 2, size = <usize>m * rowC;
  for (let s = start; s < end; s++) {
    const p = s * depth, rows = min(depth, k - p), quarter = rows >> 2;
    const c = sums + <usize>s * size, x = a + (<usize>p << 2), y = b + <usize>p * rowB;
    memory.fill(c, 0, size);
    for (let q = 0; q < quarter; q++) {
      const left = x + (<usize>q << 2), apart = <usize>quarter << 2;
      if (dtype & WIDENED) {
        for (let t = 0; t < 4; t++) widenRow(workspace + t * rowC, b, first, p + q + t * quarter, n, ldb, dtype);
        addFourRows(c, left, apart, workspace, rowC, m, n, rowA, rowC, FLOAT);
      } else {
        addFourRows(c, left, apart, y + <usize>q * rowB, <usize>quarter * rowB, m, n, rowA, rowC, dtype);
      }
    }
    if (dtype == BRAIN) for (let i = 0; i < m; i++) interleave(c + i * rowC, n & ~15);
    for (let q = 4 * quarter; q < rows; q++) {
      let from = y + <usize>q * rowB;
      if (dtype & WIDENED) widenRow(from = workspace, b, first, p + q, n, ldb, dtype);
      for (let i = 0; i < m; i++) addNumbers(c + i * rowC, x + i * rowA + (<usize>q << 2), from, 0, n, dtype);
    }
  }
}

/** @split items of m * parts */
export function matvec_sum_f32(
  c: usize, sums: usize, m: i32, n: i32, parts: i32, scale: f32, ldc: i32, layout: i32, bias: usize, start: i32, end: i32,
): void {
  const row = <usize>n << 2, part = <usize>m * row;
  for (let i = 0; i < m; i++, c += <usize>ldc << 2, sums += row) {
    for (let j = start; j < end; j += 4) {
      const skip = <usize>j << 2, count = end - j;
      const from = layout & ACCUMULATE ? c : bias;
      let sum = f32x4.splat(0);
      for (let s = 0, at = sums + skip; s < parts; s++, at += part) sum = f32x4.add(sum, loadPart(at, count));
      sum = f32x4.mul(sum, f32x4.splat(scale));
      storePart(c + skip, from ? f32x4.add(loadPart(from + skip, count), sum) : sum, count);
    }
  }
}

/** Row p of b in f32. */
function widenRow(to: usize, b: usize, first: i32, p: i32, n: i32, ldb: i32, dtype: i32): void {
  if (dtype == FOUR) {
    widen(to, b, first + p * ldb, first + p * ldb + n);
    return;
  }
  b += <usize>(p * ldb) << 1;
  for (; n >= 4; n -= 4, to += 16, b += 8) v128.store(to, load4<F16>(b));
  for (; n > 0; n--, to += 4, b += 2) store<f32>(to, load1<F16>(b));
}

/** c[i, j] += Σ_{q < 4} a[i, q]·b[q, j], a's columns and b's rows at steps; whole groups of 16 columns of BRAIN as `interleave` takes them. */
function addFourRows(
  c: usize, a: usize, stepA: usize, b: usize, step: usize, m: i32, n: i32, rowA: usize, rowC: usize, dtype: i32,
): void {
  const whole = n & ~15;
  for (let j = 0; j < whole; j += SPAN) {
    const bytes = <usize>min(SPAN, whole - j) << 2, from = b + (<usize>j << (dtype == FLOAT ? 2 : 1));
    for (let i = 0, x = a, to = c + (<usize>j << 2); i < m; i++, x += rowA, to += rowC) {
      const x0 = v128.load32_splat(x), x1 = v128.load32_splat(x + stepA);
      const x2 = v128.load32_splat(x + 2 * stepA), x3 = v128.load32_splat(x + 3 * stepA);
      if (dtype == FLOAT) addColumns<f32>(to, to + bytes, x0, x1, x2, x3, from, step);
      else addColumns<BF16>(to, to + bytes, x0, x1, x2, x3, from, step);
    }
  }
  for (let i = 0; i < m; i++, c += rowC, a += rowA) {
    for (let q = 0; q < 4; q++) addNumbers(c, a + q * stepA, b + q * step, whole, n, dtype);
  }
}

function addColumns<T>(c: usize, end: usize, x0: v128, x1: v128, x2: v128, x3: v128, b: usize, step: usize): void {
  let b2 = b + 2 * step;
  for (; c < end; c += 64, b += 16 * sizeof<T>(), b2 += 16 * sizeof<T>()) {
    const b1 = b + step, b3 = b2 + step;
    const s0 = sum4<T>(v128.load(c), x0, x1, x2, x3, b, b1, b2, b3, 0);
    const s1 = sum4<T>(v128.load(c, 16), x0, x1, x2, x3, b, b1, b2, b3, 1);
    const s2 = sum4<T>(v128.load(c, 32), x0, x1, x2, x3, b, b1, b2, b3, 2);
    const s3 = sum4<T>(v128.load(c, 48), x0, x1, x2, x3, b, b1, b2, b3, 3);
    v128.store(c, s0), v128.store(c, s1, 16), v128.store(c, s2, 32), v128.store(c, s3, 48);
  }
}

// @ts-ignore: decorator
@inline
function sum4<T>(
  sum: v128, x0: v128, x1: v128, x2: v128, x3: v128, b0: usize, b1: usize, b2: usize, b3: usize, part: i32,
): v128 {
  sum = madd(x1, read<T>(b1, part), madd(x0, read<T>(b0, part), sum));
  return madd(x3, read<T>(b3, part), madd(x2, read<T>(b2, part), sum));
}

/** Four of the 16 numbers at p: the next four; of bfloat16 those at even places, then the others. */
// @ts-ignore: decorator
@inline
function read<T>(p: usize, part: i32): v128 {
  if (!isBrain<T>()) return load4<T>(p + part * 4 * sizeof<T>());
  return part < 2 ? loadFirst<T>(p + part * 16) : loadSecond<T>(p + (part - 2) * 16);
}

/** c[j] += x·b[j] for columns start..end, one number at a time, b of BRAIN or in f32. */
function addNumbers(c: usize, x: usize, b: usize, start: i32, end: i32, dtype: i32): void {
  for (let j = start; j < end; j++) {
    const to = c + (<usize>j << 2);
    const y = dtype == BRAIN ? load1<BF16>(b + (<usize>j << 1)) : load<f32>(b + (<usize>j << 2));
    store<f32>(to, load<f32>(to) + load<f32>(x) * y);
  }
}
