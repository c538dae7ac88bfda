/**
 * The product of matvec.ts for B stored [k, n], whose rows are added up: in parts of `depth` rows, each a sum of its own.
 *
 *   sums[s, i, j] = Σ_{s·depth ≤ p < (s+1)·depth} A[i, p]·B[p, j]        range: parts
 *   C[i, j] (+)= bias[j] + Σ_s sums[s, i, j]                             range: columns
 *
 *   sums [parts, m, n] f32   a [m, lda] f32   b [k, ldb] of the dtype   c [m, ldc] f32   bias [n] or 0   layout: ACCUMULATE of layout.ts
 *
 * Threads share parts and not columns, since whole rows one after the other are the only order in which memory is read at its
 * full rate: half rows come in at a third of it (measured). `depth` sets the order of summation, so it must not depend on the threads.
 * A part is read as four streams, each a quarter of its rows; more rows of B at once save reading and writing the sums.
 */
import { BF16, F16, isBrain, isHalf, load1, load4, loadFirst, loadSecond } from "../simd/half";
import { madd } from "../simd/lanes";
import { loadPart, storePart } from "../simd/part";
import { ACCUMULATE } from "./layout";

/** Dtypes of B. */
const FLOAT: i32 = 0;
const HALF: i32 = 1;
const BRAIN: i32 = 2;
/** Columns of B that stay in the cache while several rows of A meet them. */
const SPAN: i32 = 256;

/** @split items of n * depth */
export function matvec_rows_f32(
  sums: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, depth: i32, start: i32, end: i32,
): void {
  addParts(sums, a, b, m, n, k, lda, ldb, depth, start, end, FLOAT);
}

/** @split items of n * depth */
export function matvec_rows_f16(
  sums: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, depth: i32, start: i32, end: i32,
): void {
  addParts(sums, a, b, m, n, k, lda, ldb, depth, start, end, HALF);
}

/** @split items of n * depth */
export function matvec_rows_bf16(
  sums: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, depth: i32, start: i32, end: i32,
): void {
  addParts(sums, a, b, m, n, k, lda, ldb, depth, start, end, BRAIN);
}

/** @split items of m * parts */
export function matvec_sum_f32(
  c: usize, sums: usize, m: i32, n: i32, parts: i32, ldc: i32, layout: i32, bias: usize, start: i32, end: i32,
): void {
  const row = <usize>n << 2, part = <usize>m * row;
  for (let i = 0; i < m; i++, c += <usize>ldc << 2, sums += row) {
    for (let j = start; j < end; j += 4) {
      const skip = <usize>j << 2, count = end - j;
      const from = layout & ACCUMULATE ? c : bias;
      let sum = from ? loadPart(from + skip, count) : f32x4.splat(0);
      for (let s = 0, at = sums + skip; s < parts; s++, at += part) sum = f32x4.add(sum, loadPart(at, count));
      storePart(c + skip, sum, count);
    }
  }
}

function addParts(
  sums: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, depth: i32, start: i32, end: i32, dtype: i32,
): void {
  const width: usize = dtype == FLOAT ? 4 : 2, rowB = <usize>ldb * width, rowA = <usize>lda << 2;
  const rowC = <usize>n << 2, size = <usize>m * rowC, whole = n & ~15;
  for (let s = start; s < end; s++) {
    const p = s * depth, rows = min(depth, k - p), quarter = rows >> 2;
    const c = sums + <usize>s * size, x = a + (<usize>p << 2), y = b + <usize>p * rowB;
    memory.fill(c, 0, size);
    for (let q = 0; q < quarter; q++) {
      addFourRows(
        c, x + (<usize>q << 2), <usize>quarter << 2, y + <usize>q * rowB, <usize>quarter * rowB, m, whole, rowA, rowC, dtype,
      );
    }
    for (let i = 0, to = c, from = x; i < m; i++, to += rowC, from += rowA) {
      if (dtype == BRAIN) interleave(to, whole);
      for (let q = 0; q < rows; q++) addNumbers(to, from, y, q, q < 4 * quarter ? whole : 0, n, rowB, dtype);
    }
  }
}

/** c[i, j] += Σ_{q < 4} a[i, q]·b[q, j], a's columns and b's rows at steps, n a multiple of 16; c of BRAIN as `interleave` takes it. */
function addFourRows(
  c: usize, a: usize, stepA: usize, b: usize, step: usize, m: i32, n: i32, rowA: usize, rowC: usize, dtype: i32,
): void {
  const span = m == 1 ? n : SPAN, width: usize = dtype == FLOAT ? 4 : 2;
  for (let j = 0; j < n; j += span, b += SPAN * width, c += SPAN * 4) {
    const bytes = <usize>min(span, n - j) << 2;
    let x = a, to = c;
    for (let i = 0; i < m; i++, x += rowA, to += rowC) {
      const x0 = v128.load32_splat(x), x1 = v128.load32_splat(x + stepA);
      const x2 = v128.load32_splat(x + 2 * stepA), x3 = v128.load32_splat(x + 3 * stepA);
      if (dtype == FLOAT) addColumns<f32>(to, to + bytes, x0, x1, x2, x3, b, step);
      else if (dtype == HALF) addColumns<F16>(to, to + bytes, x0, x1, x2, x3, b, step);
      else addColumns<BF16>(to, to + bytes, x0, x1, x2, x3, b, step);
    }
  }
}

function addColumns<T>(c: usize, end: usize, x0: v128, x1: v128, x2: v128, x3: v128, b: usize, step: usize): void {
  let b2 = b + 2 * step;
  if (isHalf<T>()) {
    for (; c < end; c += 16, b += 8, b2 += 8) {
      v128.store(c, sum4<T>(v128.load(c), x0, x1, x2, x3, b, b + step, b2, b2 + step, 0));
    }
    return;
  }
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

/** Every 16 numbers, the even ones before the odd ones, in their order again. */
function interleave(c: usize, n: i32): void {
  for (const end = c + (<usize>n << 2); c < end; c += 64) {
    const even = v128.load(c), even2 = v128.load(c, 16), odd = v128.load(c, 32), odd2 = v128.load(c, 48);
    v128.store(c, v128.shuffle<f32>(even, odd, 0, 4, 1, 5)), v128.store(c, v128.shuffle<f32>(even, odd, 2, 6, 3, 7), 16);
    v128.store(c, v128.shuffle<f32>(even2, odd2, 0, 4, 1, 5), 32), v128.store(c, v128.shuffle<f32>(even2, odd2, 2, 6, 3, 7), 48);
  }
}

/** c[j] += a[p]·b[p, j] for columns start..end, one number at a time. */
function addNumbers(c: usize, a: usize, b: usize, p: i32, start: i32, end: i32, rowB: usize, dtype: i32): void {
  const x = load<f32>(a + (<usize>p << 2)), row = b + <usize>p * rowB;
  for (let j = start; j < end; j++) {
    const to = c + (<usize>j << 2), half = row + (<usize>j << 1);
    const y = dtype == FLOAT ? load<f32>(row + (<usize>j << 2)) : dtype == HALF ? load1<F16>(half) : load1<BF16>(half);
    store<f32>(to, load<f32>(to) + x * y);
  }
}
