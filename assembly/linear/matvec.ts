/**
 * The matmul of matmul.ts for one to a few rows of A, as in decoding: nothing is packed and B is read from memory once.
 *
 *   C[i, j] (+)= bias[j] + Σ_p A[i, p]·B[p, j] + scale·Σ_q A2[i, q]·B2[q, j]
 *
 * Arguments as there, but A is [m, k] always (no A_KM), B is stored [n, k] (matvec-rows.ts is for [k, n]), and the range is of
 * columns. Each element is a dot product along a row of B. Sums are ordered otherwise than in matmul.ts, so the two agree to
 * rounding only; bits do not depend on the range. Any m is correct; up to 4 rows this is faster than packing.
 *
 * matvec_nf4 has a whole tensor of simd/nf4-read.ts for b, and begins at its element `first`; it may be stored [k, n] too: its rows,
 * and those of B2, are added up four at a time. nf4-matvec.ts is faster where it will do.
 */
import { BF16, F16, firstOf, isHalf, load1, load4, loadFirst, loadSecond, secondOf } from "../simd/half";
import { hsum, madd } from "../simd/lanes";
import { NF4, widen } from "../simd/nf4-read";
import { A_KM, ACCUMULATE, B2_NK, B_NK } from "./layout";

/** @split columns of k * r */
export function matvec_f32(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, colStart: i32, colEnd: i32,
): void {
  matvec<f32>(c, a, b, 0, m, k, lda, ldb, ldc, layout, bias, a2, b2, r, lda2, ldb2, scale, 0, colStart, colEnd);
}

/** @split columns of k * r */
export function matvec_f16(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, colStart: i32, colEnd: i32,
): void {
  matvec<F16>(c, a, b, 0, m, k, lda, ldb, ldc, layout, bias, a2, b2, r, lda2, ldb2, scale, 0, colStart, colEnd);
}

/** @split columns of k * r */
export function matvec_bf16(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, colStart: i32, colEnd: i32,
): void {
  matvec<BF16>(c, a, b, 0, m, k, lda, ldb, ldc, layout, bias, a2, b2, r, lda2, ldb2, scale, 0, colStart, colEnd);
}

/** Bytes of working memory that matvec_nf4 needs, 16-byte aligned; their contents do not matter. */
export function matvec_nf4_workspace(n: i32, k: i32): i32 {
  return max(4 * n, k) * 4;
}

/**
 * @split columns of k * r
 * @workspace matvec_nf4_workspace(n, k)
 */
export function matvec_nf4(
  c: usize, a: usize, b: usize, first: i32, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, workspace: usize, colStart: i32, colEnd: i32,
): void {
  matvec<NF4>(
    c, a, b, first, m, k, lda, ldb, ldc, layout, bias, a2, b2, r, lda2, ldb2, scale, workspace, colStart, colEnd,
  );
}

function matvec<T>(
  c: usize, a: usize, b: usize, firstB: i32, m: i32, k: i32, lda: i32, ldb: i32, ldc: i32, layout: i32, bias: usize,
  a2: usize, b2: usize, r: i32, lda2: i32, ldb2: i32, scale: f32, workspace: usize, colStart: i32, colEnd: i32,
): void {
  assert(!(layout & A_KM));
  const n = colEnd - colStart, skip = <usize>colStart << 2;
  c += skip;
  if (!(layout & ACCUMULATE)) setRows(c, m, n, <usize>ldc << 2, bias ? bias + skip : 0);
  if (sizeof<T>() == 1) addWidened(c, a, b, firstB, m, n, k, lda, ldb, ldc, (layout & B_NK) != 0, workspace, colStart);
  else addDotsFrom<T>(c, a, b, m, n, k, lda, ldb, ldc, 1, colStart);
  if (r == 0) return;
  if (layout & B2_NK) addDotsFrom<f32>(c, a2, b2, m, n, r, lda2, ldb2, ldc, scale, colStart);
  else addRows(c, a2, b2 + skip, m, n, r, <usize>lda2 << 2, <usize>ldb2 << 2, <usize>ldc << 2, scale);
}

/** Every row becomes the bias, or zero without one. */
function setRows(c: usize, m: i32, n: i32, rowC: usize, bias: usize): void {
  for (let i = 0; i < m; i++, c += rowC) {
    if (bias) memory.copy(c, bias, n << 2);
    else memory.fill(c, 0, n << 2);
  }
}

/** c += scale·a·bᵀ for columns colStart.. of the product, of which c points at the first. */
// @ts-ignore: decorator
@inline
function addDotsFrom<T>(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, scale: f32, colStart: i32,
): void {
  const rowB = <usize>ldb * sizeof<T>();
  addDots<T>(c, a, b + <usize>colStart * rowB, m, n, k, <usize>lda << 2, rowB, <usize>ldc << 2, scale);
}

/** c += a·b with b in four bits: one to four of its stored rows at a time are widened into `workspace`. */
function addWidened(
  c: usize, a: usize, b: usize, firstB: i32, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, nk: bool,
  workspace: usize, colStart: i32,
): void {
  const rowA = <usize>lda << 2, rowC = <usize>ldc << 2, row = <usize>n << 2;
  if (nk) {
    for (let j = 0, e = firstB + colStart * ldb; j < n; j++, e += ldb, c += 4) {
      widen(workspace, b, e, e + k);
      addDots<f32>(c, a, workspace, m, 1, k, rowA, 0, rowC, 1);
    }
    return;
  }
  for (let p = 0, e = firstB + colStart; p < k; p += 4, a += 16) {
    const count = min(k - p, 4);
    for (let q = 0; q < count; q++, e += ldb) widen(workspace + <usize>q * row, b, e, e + n);
    addRows(c, a, workspace, m, n, count, rowA, row, rowC, 1);
  }
}

/** Of one row of A four columns at a time, a quarter of the range apart: memory comes in faster as four long streams. */
function addDots<T>(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, rowA: usize, rowB: usize, rowC: usize, scale: f32,
): void {
  const quarter = m == 1 && !isHalf<T>() ? n >> 2 : 0, step = <usize>quarter * rowB;
  for (let j = 0; j < quarter; j++, b += rowB, c += 4) addFourColumns<T>(c, <usize>quarter << 2, a, b, step, k, scale);
  b += 3 * step, c += <usize>(3 * quarter) << 2;
  for (let j = 4 * quarter; j < n; j++, b += rowB, c += 4) {
    if (m == 1 && !isHalf<T>()) addFourColumns<T>(c, 0, a, b, 0, k, scale);
    else for (let i = 0; i < m; i += 4) addFourDots<T>(c, a, b, i, m - 1, k, rowA, rowC, scale);
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
  let sum0 = hsum(f32x4.add(s0, t0)), sum1 = hsum(f32x4.add(s1, t1));
  let sum2 = hsum(f32x4.add(s2, t2)), sum3 = hsum(f32x4.add(s3, t3));
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

/** The same for rows i..i+4 of a and c at once; rows beyond the last are the last again. Four partial sums each. */
function addFourDots<T>(
  c: usize, a: usize, y: usize, i: i32, last: i32, n: i32, rowA: usize, rowC: usize, scale: f32,
): void {
  const i1 = min(i + 1, last), i2 = min(i + 2, last), i3 = min(i + 3, last);
  let x0 = a + <usize>i * rowA, x1 = a + <usize>i1 * rowA, x2 = a + <usize>i2 * rowA, x3 = a + <usize>i3 * rowA;
  const end4 = x0 + (<usize>(n & ~3) << 2), end = x0 + (<usize>n << 2);
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (; x0 < end4; x0 += 16, x1 += 16, x2 += 16, x3 += 16, y += 4 * sizeof<T>()) {
    const value = load4<T>(y);
    s0 = madd(v128.load(x0), value, s0), s1 = madd(v128.load(x1), value, s1);
    s2 = madd(v128.load(x2), value, s2), s3 = madd(v128.load(x3), value, s3);
  }
  let t0 = hsum(s0), t1 = hsum(s1), t2 = hsum(s2), t3 = hsum(s3);
  for (; x0 < end; x0 += 4, x1 += 4, x2 += 4, x3 += 4, y += sizeof<T>()) {
    const value = load1<T>(y);
    t0 += load<f32>(x0) * value, t1 += load<f32>(x1) * value;
    t2 += load<f32>(x2) * value, t3 += load<f32>(x3) * value;
  }
  const c0 = c + <usize>i * rowC, c1 = c + <usize>i1 * rowC, c2 = c + <usize>i2 * rowC, c3 = c + <usize>i3 * rowC;
  t0 = load<f32>(c0) + scale * t0, t1 = load<f32>(c1) + scale * t1;
  t2 = load<f32>(c2) + scale * t2, t3 = load<f32>(c3) + scale * t3;
  store<f32>(c0, t0), store<f32>(c1, t1), store<f32>(c2, t2), store<f32>(c3, t3);
}

function addRows(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, rowA: usize, rowB: usize, rowC: usize, scale: f32,
): void {
  for (let p = 0; p < k; p += 4, a += 16, b += 4 * rowB) {
    let x = a, out = c;
    const count = min(k - p, 4);
    for (let i = 0; i < m; i++, x += rowA, out += rowC) addFourRows(out, x, b, n, rowB, scale, count);
  }
}

/** c[j] += Σ_q scale·x[q]·b[q, j] for q < count ≤ 4. Missing rows count as the first times zero. */
function addFourRows(c: usize, x: usize, b: usize, n: i32, rowB: usize, scale: f32, count: i32): void {
  const b1 = count > 1 ? rowB : 0, b2 = count > 2 ? rowB * 2 : 0, b3 = count > 3 ? rowB * 3 : 0;
  const x0 = f32x4.splat(scale * load<f32>(x));
  const x1 = f32x4.splat(count > 1 ? scale * load<f32>(x, 4) : 0);
  const x2 = f32x4.splat(count > 2 ? scale * load<f32>(x, 8) : 0);
  const x3 = f32x4.splat(count > 3 ? scale * load<f32>(x, 12) : 0);
  const end = c + (<usize>n << 2), end4 = c + (<usize>(n & ~3) << 2);
  for (; c < end4; c += 16, b += 16) {
    let sum = madd(x0, v128.load(b), v128.load(c));
    sum = madd(x1, v128.load(b + b1), sum);
    sum = madd(x2, v128.load(b + b2), sum);
    v128.store(c, madd(x3, v128.load(b + b3), sum));
  }
  for (; c < end; c += 4, b += 4) {
    let sum = madd(x0, v128.load32_splat(b), v128.load32_splat(c));
    sum = madd(x1, v128.load32_splat(b + b1), sum);
    sum = madd(x2, v128.load32_splat(b + b2), sum);
    store<f32>(c, f32x4.extract_lane(madd(x3, v128.load32_splat(b + b3), sum), 0));
  }
}
