/** What every step of an attention call needs to know; lives at the start of the caller's workspace. */
import { roundUp } from "./tile";

/** Bytes kept for a Job at the start of the workspace. */
export const JOB: i32 = 128;
/** Keys of one score tile. */
export const KEYS: i32 = 128;

/** One call, one segment and one head of it. Lives at the start of the workspace; steps are in bytes. */
@unmanaged
export class Job {
  headDim: i32;
  /** headDim rounded up to whole panels of 8. */
  depth: i32;
  causal: bool;
  /** 0 when there is none. */
  window: i32;
  scale: f32;
  /** What a score is still to be multiplied by when a softmax reads it: scale, or 1 where the bias pass has done it. */
  due: f32;
  /** Queries and keys of the segment, and the position of its first query. */
  queries: i32;
  keys: i32;
  past: i32;
  heads: usize;
  rowQ: usize;
  rowK: usize;
  rowV: usize;
  rowO: usize;
  /** First row of the segment in this head. */
  q: usize;
  k: usize;
  v: usize;
  o: usize;
  lse: usize;
  /** Bias of distance 0: of the first head, of this head, and bytes from head to head. 0 for none. */
  biases: usize;
  bias: usize;
  rowBias: usize;
}

export function open(
  workspace: usize, heads: i32, headDim: i32, ldq: i32, ldk: i32, ldv: i32, ldo: i32,
  scale: f32, causal: i32, window: i32, bias: usize, biasZero: i32, ldBias: i32,
): Job {
  const job = changetype<Job>(workspace);
  job.headDim = headDim;
  job.depth = roundUp(headDim, 8);
  job.causal = causal != 0;
  job.window = causal != 0 ? window : 0;
  job.scale = scale;
  job.due = bias == 0 ? scale : 1;
  job.heads = <usize>heads;
  job.rowQ = <usize>ldq << 2;
  job.rowK = <usize>ldk << 2;
  job.rowV = <usize>ldv << 2;
  job.rowO = <usize>ldo << 2;
  job.biases = bias == 0 ? 0 : bias + (<usize>biasZero << 2);
  job.rowBias = <usize>ldBias << 2;
  return job;
}

export function enter(
  job: Job, segment: usize, h: i32, kvHead: i32, q: usize, k: usize, v: usize, o: usize, lse: usize,
): void {
  const qStart = load<i32>(segment), kStart = load<i32>(segment, 8);
  const column = <usize>(h * job.headDim) << 2;
  const kvColumn = <usize>(kvHead * job.headDim) << 2;
  job.queries = load<i32>(segment, 4) - qStart;
  job.keys = load<i32>(segment, 12) - kStart;
  job.past = job.keys - job.queries;
  job.q = q + <usize>qStart * job.rowQ + column;
  job.o = o + <usize>qStart * job.rowO + column;
  job.k = k + <usize>kStart * job.rowK + kvColumn;
  job.v = v + <usize>kStart * job.rowV + kvColumn;
  job.lse = lse == 0 ? 0 : lse + ((<usize>qStart * job.heads + <usize>h) << 2);
  job.bias = job.biases == 0 ? 0 : job.biases + <usize>h * job.rowBias;
}

/** First key that query i sees. */
export function firstKey(job: Job, i: i32): i32 {
  return job.window > 0 ? max(job.past + i - job.window + 1, 0) : 0;
}

/** One after the last key that query i sees. */
export function endKey(job: Job, i: i32): i32 {
  return job.causal ? max(job.past + i + 1, 0) : job.keys;
}

/** The last key before those that each of the queries i to i + 3 sees. */
// @ts-ignore: decorator
@inline
export function below4(job: Job, i: i32): v128 {
  if (job.window == 0) return i32x4.splat(-1);
  return i32x4.add(i32x4.splat(job.past + i - job.window), i32x4(0, 1, 2, 3));
}

/** endKey of the queries i to i + 3, none for those that do not exist. */
// @ts-ignore: decorator
@inline
export function end4(job: Job, i: i32): v128 {
  const rows = i32x4.add(i32x4.splat(i), i32x4(0, 1, 2, 3));
  const ends = job.causal ? i32x4.add(rows, i32x4.splat(job.past + 1)) : i32x4.splat(job.keys);
  return v128.and(ends, i32x4.lt_s(rows, i32x4.splat(job.queries)));
}
