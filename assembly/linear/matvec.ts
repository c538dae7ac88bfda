/**
 * The matmul of matmul.ts for one to a few rows of A, as in decoding: nothing is packed and B is read from memory once.
 *
 *   C[i, j] (+)= bias[j] + Σ_p A[i, p]·B[p, j] + scale·Σ_q A2[i, q]·B2[q, j]
 *
 * Arguments as there, but A is [m, k] always (no A_KM), B is stored [n, k] (matvec-rows.ts is for [k, n]), and the range is of
 * columns. Each element is a dot product along a row of B. Sums are ordered otherwise than in matmul.ts, so the two agree to
 * rounding only; bits depend neither on the range nor on the dtype that the same numbers are stored in. Any m is correct; up to
 * 4 rows this is faster than packing.
 *
 * B2 is stored [n, r].
 */
import { BF16, F16, firstOf, isBrain, load1, loadFirst, loadSecond, secondOf } from "../simd/half";
import { hsum, madd } from "../simd/lanes";
import { A_KM, ACCUMULATE, B2_NK, B_NK } from "./layout";
import { setRows } from "./set-rows";

/** @split columns of k * r */
export function matvec_f32(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, colStart: i32, colEnd: i32,
): void {
  matvec<f32>(c, a, b, m, k, lda, ldb, ldc, layout, bias, a2, b2, r, lda2, ldb2, scale, colStart, colEnd);
}

/** @split columns of k * r */
export function matvec_f16(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, colStart: i32, colEnd: i32,
): void {
  matvec<F16>(c, a, b, m, k, lda, ldb, ldc, layout, bias, a2, b2, r, lda2, ldb2, scale, colStart, colEnd);
}

/** @split columns of k * r */
export function matvec_bf16(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, colStart: i32, colEnd: i32,
): void {
  matvec<BF16>(c, a, b, m, k, lda, ldb, ldc, layout, bias, a2, b2, r, lda2, ldb2, scale, colStart, colEnd);
}

function matvec<T>(
  c: usize, a: usize, b: usize, m: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, colStart: i32, colEnd: i32,
): void {
  assert(!(layout & A_KM) && (layout & B_NK || k == 0) && (layout & B2_NK || r == 0));
  if (!(layout & ACCUMULATE)) setRows(c, ldc, m, bias, colStart, colEnd);
  const n = colEnd - colStart;
  c += <usize>colStart << 2;
  addDots<T>(c, a, b, m, n, k, lda, ldb, ldc, 1, colStart);
  if (r > 0) addDots<f32>(c, a2, b2, m, n, r, lda2, ldb2, ldc, scale, colStart);
}

/**
 * c += scale·a·bᵀ for columns colStart.. of the product, of which c points at the first: four columns at a time, a quarter of the
 * range apart, since memory comes in faster as four long streams.
 */
function addDots<T>(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, scale: f32, colStart: i32,
): void {
  const rowA = <usize>lda << 2, rowB = <usize>ldb * sizeof<T>(), rowC = <usize>ldc << 2;
  const quarter = n >> 2;
  b += <usize>colStart * rowB;
  for (let j = 0, apart = <usize>quarter; j < n; j++, b += rowB, c += 4) {
    if (j == quarter) j = 4 * quarter, b += 3 * apart * rowB, c += 3 * apart << 2, apart = 0;
    if (j == n) break;
    for (let i = 0, x = a, to = c; i < m; i++, x += rowA, to += rowC) {
      addFourColumns<T>(to, apart << 2, x, b, apart * rowB, k, scale);
    }
  }
}

/** c[q·stepC] += scale·Σ x[p]·y[q·step + p] for q < 4, at byte steps; eight partial sums each. With steps of zero, once. */
function addFourColumns<T>(c: usize, stepC: usize, x: usize, y: usize, step: usize, n: i32, scale: f32): void {
  const end8 = x + (<usize>(n & ~7) << 2), end = x + (<usize>n << 2);
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  let y2 = y + 2 * step;
  for (; x < end8; x += 32, y += 8 * sizeof<T>(), y2 += 8 * sizeof<T>()) {
    const y1 = y + step, y3 = y2 + step;
    const u = v128.load(x), v = v128.load(x, 16);
    const first = firstOf<T>(u, v), second = secondOf<T>(u, v);
    s0 = madd(first, loadFirst<T>(y), s0), t0 = madd(second, loadSecond<T>(y), t0);
    s1 = madd(first, loadFirst<T>(y1), s1), t1 = madd(second, loadSecond<T>(y1), t1);
    s2 = madd(first, loadFirst<T>(y2), s2), t2 = madd(second, loadSecond<T>(y2), t2);
    s3 = madd(first, loadFirst<T>(y3), s3), t3 = madd(second, loadSecond<T>(y3), t3);
  }
  let sum0 = sumOf<T>(s0, t0), sum1 = sumOf<T>(s1, t1), sum2 = sumOf<T>(s2, t2), sum3 = sumOf<T>(s3, t3);
  for (; x < end; x += 4, y += sizeof<T>(), y2 += sizeof<T>()) {
    const value = load<f32>(x);
    sum0 += value * load1<T>(y), sum1 += value * load1<T>(y + step);
    sum2 += value * load1<T>(y2), sum3 += value * load1<T>(y2 + step);
  }
  const c2 = c + 2 * stepC;
  sum0 = load<f32>(c) + scale * sum0, sum1 = load<f32>(c + stepC) + scale * sum1;
  sum2 = load<f32>(c2) + scale * sum2, sum3 = load<f32>(c2 + stepC) + scale * sum3;
  store<f32>(c, sum0), store<f32>(c + stepC, sum1), store<f32>(c2, sum2), store<f32>(c2 + stepC, sum3);
}

/** The sum of eight partial sums, in one order for all dtypes: those at even places are in s for bfloat16. */
// @ts-ignore: decorator
@inline
function sumOf<T>(s: v128, t: v128): f32 {
  if (!isBrain<T>()) return hsum(f32x4.add(s, t));
  return hsum(f32x4.add(v128.shuffle<f32>(s, t, 0, 4, 1, 5), v128.shuffle<f32>(s, t, 2, 6, 3, 7)));
}
