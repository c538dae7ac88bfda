/** What every step of an attention call needs to know; lives at the start of the caller's workspace. */
import { LOG2_E } from "./softmax";
import { COLS, roundUp } from "./tile";

/** Bytes kept for a Job at the start of the workspace. */
export const JOB: i32 = 192;
/** Keys of one score tile. */
export const KEYS: i32 = 256;
/** More than the keys of any segment. */
export const FAR: i32 = 1 << 28;

/** One call, one segment and one head of it. Lives at the start of the workspace; steps are in bytes. */
@unmanaged
export class Job {
  headDim: i32;
  /** headDim rounded up to whole panels. */
  depth: i32;
  causal: bool;
  /** Keys that a query sees back from `ahead`: 2·FAR when there is no window. */
  window: i32;
  /** What a product q·k is multiplied by, and the same for powers of two. */
  scale: f32;
  scale2: f32;
  /** Queries and keys of the segment, and the position of its first query. */
  queries: i32;
  keys: i32;
  past: i32;
  /** The last key that the first query sees: its position, or FAR if not causal. */
  ahead: i32;
  heads: usize;
  rowQ: usize;
  rowK: usize;
  rowV: usize;
  rowO: usize;
  /** First row of the segment: of its key-value head, of its first query head (no lse: 0), and of this query head. */
  k: usize;
  v: usize;
  firstQ: usize;
  firstO: usize;
  firstLse: usize;
  q: usize;
  o: usize;
  lse: usize;
  /** Bias of distance 0: of the first head (none: 0), of this head, and bytes from head to head. */
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
  job.depth = roundUp(headDim, COLS);
  job.causal = causal != 0;
  job.window = causal != 0 && window > 0 ? window : 2 * FAR;
  job.scale = scale;
  job.scale2 = scale * LOG2_E;
  job.heads = <usize>heads;
  job.rowQ = <usize>ldq << 2;
  job.rowK = <usize>ldk << 2;
  job.rowV = <usize>ldv << 2;
  job.rowO = <usize>ldo << 2;
  job.biases = bias == 0 ? 0 : bias + (<usize>biasZero << 2);
  job.rowBias = <usize>ldBias << 2;
  return job;
}

export function enter(job: Job, segment: usize, kvHead: i32, q: usize, k: usize, v: usize, o: usize, lse: usize): void {
  const qStart = load<i32>(segment), kStart = load<i32>(segment, 8);
  const kvColumn = <usize>(kvHead * job.headDim) << 2;
  job.queries = load<i32>(segment, 4) - qStart;
  job.keys = load<i32>(segment, 12) - kStart;
  job.past = job.keys - job.queries;
  job.ahead = job.causal ? job.past : FAR;
  job.k = k + <usize>kStart * job.rowK + kvColumn;
  job.v = v + <usize>kStart * job.rowV + kvColumn;
  job.firstQ = q + <usize>qStart * job.rowQ;
  job.firstO = o + <usize>qStart * job.rowO;
  job.firstLse = lse == 0 ? 0 : lse + ((<usize>qStart * job.heads) << 2);
}

/** Turns to query head h. */
export function enterHead(job: Job, h: i32): void {
  const column = <usize>(h * job.headDim) << 2;
  job.q = job.firstQ + column;
  job.o = job.firstO + column;
  job.lse = job.firstLse + (<usize>h << 2);
  job.bias = job.biases + <usize>h * job.rowBias;
}

/** First key that query i sees. */
export function firstKey(job: Job, i: i32): i32 {
  return max(job.ahead + i - job.window + 1, 0);
}

/** One after the last key that query i sees. */
export function endKey(job: Job, i: i32): i32 {
  return min(max(job.ahead + i + 1, 0), job.keys);
}
