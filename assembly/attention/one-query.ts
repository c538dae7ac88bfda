/**
 * Attention of a single query, as in decoding: nothing is packed, keys and values are read once where they lie.
 * Same online softmax, other order of summation than the tiles.
 */
import { exp1, exp4 } from "../simd/exp";
import { dot, hsum, madd } from "../simd/lanes";
import { log1 } from "../simd/math";
import { endKey, firstKey, JOB, Job, KEYS } from "./job";

/** The forward pass of one query, reading keys and values where they lie. */
export function attendOne(job: Job, i: i32): void {
  const scores = changetype<usize>(job) + JOB;
  const q = job.q + <usize>i * job.rowQ;
  const o = job.o + <usize>i * job.rowO;
  memory.fill(o, 0, <usize>job.headDim << 2);
  let highest = -f32.MAX_VALUE, sum: f32 = 0;
  const end = endKey(job, i);
  for (let key = firstKey(job, i); key < end; key += KEYS) {
    const n = min(end - key, KEYS);
    const before = highest;
    const bias = job.bias == 0 ? 0 : job.bias + (<usize>(key - job.past - i) << 2);
    let k = job.k + <usize>key * job.rowK;
    for (let j = 0; j < n; j++, k += job.rowK) {
      let score = job.scale * dot(q, k, job.headDim);
      if (bias) score += load<f32>(bias + (<usize>j << 2));
      store<f32>(scores + (<usize>j << 2), score);
      highest = max(highest, score);
    }
    const factor = exp1(before - highest);
    sum = sum * factor + exponentials(scores, highest, n);
    weighRows(o, factor, scores, job.v + <usize>key * job.rowV, job.rowV, n, job.headDim);
  }
  finish1(job, i, highest, sum);
}

/** x[j] = exp(x[j] − shift) for j < n; returns their sum. Writes up to three zeros more. */
function exponentials(x: usize, shift: f32, n: i32): f32 {
  for (let j = n; j & 3; j++) store<f32>(x + (<usize>j << 2), -Infinity);
  const end = x + (<usize>n << 2);
  let sum = f32x4.splat(0);
  for (; x < end; x += 16) {
    const e = exp4(f32x4.sub(v128.load(x), f32x4.splat(shift)));
    v128.store(x, e);
    sum = f32x4.add(sum, e);
  }
  return hsum(sum);
}

/** o = factor·o + Σ_j p[j]·v[j, :] for n rows of d values. */
function weighRows(o: usize, factor: f32, p: usize, v: usize, rowV: usize, n: i32, d: i32): void {
  const end = p + (<usize>n << 2), old = f32x4.splat(factor);
  let c = 0;
  for (; c + 16 <= d; c += 16, o += 64, v += 64) {
    let o0 = f32x4.mul(v128.load(o), old), o1 = f32x4.mul(v128.load(o, 16), old);
    let o2 = f32x4.mul(v128.load(o, 32), old), o3 = f32x4.mul(v128.load(o, 48), old);
    for (let w = p, x = v; w < end; w += 4, x += rowV) {
      const weight = v128.load32_splat(w);
      o0 = madd(weight, v128.load(x), o0);
      o1 = madd(weight, v128.load(x, 16), o1);
      o2 = madd(weight, v128.load(x, 32), o2);
      o3 = madd(weight, v128.load(x, 48), o3);
    }
    v128.store(o, o0);
    v128.store(o, o1, 16);
    v128.store(o, o2, 32);
    v128.store(o, o3, 48);
  }
  for (; c + 4 <= d; c += 4, o += 16, v += 16) {
    let sum = f32x4.mul(v128.load(o), old);
    for (let w = p, x = v; w < end; w += 4, x += rowV) sum = madd(v128.load32_splat(w), v128.load(x), sum);
    v128.store(o, sum);
  }
  for (; c < d; c++, o += 4, v += 4) {
    let sum = load<f32>(o) * factor;
    for (let w = p, x = v; w < end; w += 4, x += rowV) sum += load<f32>(w) * load<f32>(x);
    store<f32>(o, sum);
  }
}

/** o *= 1 / sum, lse = highest + log(sum); 0 and −∞ when the sum is empty. */
export function finish1(job: Job, i: i32, highest: f32, sum: f32): void {
  const o = job.o + <usize>i * job.rowO;
  const inverse: f32 = sum == 0 ? 0 : 1 / sum;
  for (let c: usize = 0, end = <usize>job.headDim << 2; c < end; c += 4) store<f32>(o + c, load<f32>(o + c) * inverse);
  if (job.lse == 0) return;
  store<f32>(job.lse + ((<usize>i * job.heads) << 2), sum == 0 ? -Infinity : highest + log1(sum));
}
