/**
 * The matmul of matmul.ts for one to a few rows of A, as in decoding: nothing is packed and B is read from memory once.
 *
 *   C[i, j] (+)= bias[j] + Σ_p A[i, p]·B[p, j] + scale·Σ_q A2[i, q]·B2[q, j]
 *
 * Arguments as there, but A is [m, k] always (no A_KM), and the range is of columns. With B stored [n, k] each element is a
 * dot product along a row of B; with [k, n] the rows of B are added up, four at a time. Sums are ordered otherwise than in
 * matmul.ts, so the two agree to rounding only; bits do not depend on the range. Any m is correct; up to 4 rows this is
 * faster than packing (halves stored [k, n]: up to 2).
 *
 * matvec_nf4 has a whole tensor of simd/nf4-read.ts for b, and begins at its element `first`. nf4-matvec.ts is faster where it will do.
 */
import { BF16, F16, load1, load4 } from "../simd/half";
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
  else addProduct<T>(c, a, b, m, n, k, lda, ldb, ldc, (layout & B_NK) != 0, 1, colStart);
  if (r > 0) addProduct<f32>(c, a2, b2, m, n, r, lda2, ldb2, ldc, (layout & B2_NK) != 0, scale, colStart);
}

/** Every row becomes the bias, or zero without one. */
function setRows(c: usize, m: i32, n: i32, rowC: usize, bias: usize): void {
  for (let i = 0; i < m; i++, c += rowC) {
    if (bias) memory.copy(c, bias, n << 2);
    else memory.fill(c, 0, n << 2);
  }
}

/** c += scale·a·b for columns colStart.. of b, of which c points at the first. */
function addProduct<T>(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, nk: bool, scale: f32, colStart: i32,
): void {
  const rowA = <usize>lda << 2, rowB = <usize>ldb * sizeof<T>(), rowC = <usize>ldc << 2;
  if (nk) {
    addDots<T>(c, a, b + <usize>colStart * rowB, m, n, k, rowA, rowB, rowC, scale);
  } else {
    addRows<T>(c, a, b + <usize>colStart * sizeof<T>(), m, n, k, rowA, rowB, rowC, scale);
  }
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
    addRows<f32>(c, a, workspace, m, n, count, rowA, row, rowC, 1);
  }
}

function addDots<T>(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, rowA: usize, rowB: usize, rowC: usize, scale: f32,
): void {
  for (let j = 0; j < n; j++, b += rowB, c += 4) {
    if (m == 1) addDot<T>(c, a, b, k, scale);
    else for (let i = 0; i < m; i += 4) addFourDots<T>(c, a, b, i, m - 1, k, rowA, rowC, scale);
  }
}

/** c += scale·Σ x[p]·y[p] with y of dtype T; eight partial sums. */
function addDot<T>(c: usize, x: usize, y: usize, n: i32, scale: f32): void {
  const end8 = x + (<usize>(n & ~7) << 2), end = x + (<usize>n << 2);
  let s0 = f32x4.splat(0), s1 = s0;
  for (; x < end8; x += 32, y += 8 * sizeof<T>()) {
    s0 = madd(v128.load(x), load4<T>(y), s0);
    s1 = madd(v128.load(x, 16), load4<T>(y + 4 * sizeof<T>()), s1);
  }
  let sum = hsum(f32x4.add(s0, s1));
  for (; x < end; x += 4, y += sizeof<T>()) sum += load<f32>(x) * load1<T>(y);
  store<f32>(c, load<f32>(c) + scale * sum);
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

function addRows<T>(
  c: usize, a: usize, b: usize, m: i32, n: i32, k: i32, rowA: usize, rowB: usize, rowC: usize, scale: f32,
): void {
  for (let p = 0; p < k; p += 4, a += 16, b += 4 * rowB) {
    let x = a, out = c;
    const count = min(k - p, 4);
    for (let i = 0; i < m; i++, x += rowA, out += rowC) addFourRows<T>(out, x, b, n, rowB, scale, count);
  }
}

/** c[j] += Σ_q scale·x[q]·b[q, j] for q < count ≤ 4. Missing rows count as the first times zero. */
function addFourRows<T>(c: usize, x: usize, b: usize, n: i32, rowB: usize, scale: f32, count: i32): void {
  const b1 = count > 1 ? rowB : 0, b2 = count > 2 ? rowB * 2 : 0, b3 = count > 3 ? rowB * 3 : 0;
  const x0 = f32x4.splat(scale * load<f32>(x));
  const x1 = f32x4.splat(count > 1 ? scale * load<f32>(x, 4) : 0);
  const x2 = f32x4.splat(count > 2 ? scale * load<f32>(x, 8) : 0);
  const x3 = f32x4.splat(count > 3 ? scale * load<f32>(x, 12) : 0);
  const end = c + (<usize>n << 2), end4 = c + (<usize>(n & ~3) << 2);
  for (; c < end4; c += 16, b += 4 * sizeof<T>()) {
    let sum = madd(x0, load4<T>(b), v128.load(c));
    sum = madd(x1, load4<T>(b + b1), sum);
    sum = madd(x2, load4<T>(b + b2), sum);
    v128.store(c, madd(x3, load4<T>(b + b3), sum));
  }
  for (; c < end; c += 4, b += sizeof<T>()) {
    let sum = madd(x0, f32x4.splat(load1<T>(b)), f32x4.splat(load<f32>(c)));
    sum = madd(x1, f32x4.splat(load1<T>(b + b1)), sum);
    sum = madd(x2, f32x4.splat(load1<T>(b + b2)), sum);
    store<f32>(c, f32x4.extract_lane(madd(x3, f32x4.splat(load1<T>(b + b3)), sum), 0));
  }
}
