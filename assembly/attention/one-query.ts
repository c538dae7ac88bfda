/**
 * Attention of a single query, as in decoding: nothing is packed, keys and values are read once where they lie.
 * Same online softmax, other order of summation than the tiles.
 */
import { dot, hsum, madd } from "../simd/lanes";
import { log1 } from "../simd/math";
import { completeScores } from "./bias";
import { endKey, firstKey, JOB, Job, KEYS } from "./job";
import { addPowers, FACTOR, LN_2, STATS, SUM } from "./softmax";
import { roundUp } from "./tile";

/** The forward pass of one query, reading keys and values where they lie. */
export function attendOne(job: Job, i: i32): void {
  const stat = changetype<usize>(job) + JOB;
  const scores = stat + STATS;
  const q = job.q + <usize>i * job.rowQ;
  const o = job.o + <usize>i * job.rowO;
  memory.fill(o, 0, <usize>job.headDim << 2);
  memory.fill(stat, 0, STATS);
  let highest = -f32.MAX_VALUE;
  const end = endKey(job, i);
  for (let key = firstKey(job, i); key < end; key += KEYS) {
    const n = min(end - key, KEYS), n8 = roundUp(n, 8);
    let k = job.k + <usize>key * job.rowK;
    for (let j = 0; j < n; j++, k += job.rowK) store<f32>(scores + (<usize>j << 2), job.scale2 * dot(q, k, job.headDim));
    completeScores(job, scores, 4, i, key, n8);
    splat8(stat + FACTOR, highest);
    for (let j = 0; j < n; j++) highest = max(highest, load<f32>(scores + (<usize>j << 2)));
    splat8(stat, highest);
    addPowers(stat, scores, 32, n8 >> 3);
    weighRows(o, load<f32>(stat, FACTOR), scores, job.v + <usize>key * job.rowV, job.rowV, n, job.headDim);
  }
  finish1(job, i, o, highest, hsum(f32x4.add(v128.load(stat, SUM), v128.load(stat, SUM + 16))));
}

function splat8(x: usize, value: f32): void {
  const lanes = f32x4.splat(value);
  v128.store(x, lanes), v128.store(x, lanes, 16);
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

/** o = x / sum, lse = highest·ln 2 + log(sum); 0 and −∞ when the sum is empty. */
export function finish1(job: Job, i: i32, x: usize, highest: f32, sum: f32): void {
  const o = job.o + <usize>i * job.rowO, end = <usize>job.headDim << 2, end4 = end & ~15;
  const inverse: f32 = sum == 0 ? 0 : 1 / sum;
  for (let c: usize = 0; c < end4; c += 16) v128.store(o + c, f32x4.mul(v128.load(x + c), f32x4.splat(inverse)));
  for (let c = end4; c < end; c += 4) store<f32>(o + c, load<f32>(x + c) * inverse);
  if (job.firstLse == 0) return;
  store<f32>(job.lse + ((<usize>i * job.heads) << 2), sum == 0 ? -Infinity : highest * LN_2 + log1(sum));
}
