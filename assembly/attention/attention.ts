/**
 * Attention over ragged segments, and its gradient. No tokens × tokens matrix is ever held: a tile of keys at a time.
 *
 *   attention_f32      s[i, j] = scale · qᵢ·kⱼ + b[j − i]     p[i, j] = exp(s[i, j] − lse[i])     oᵢ = Σⱼ p[i, j]·vⱼ
 *                      lse[i] = log Σⱼ exp(s[i, j]), kept for the gradient
 *   attention_f32_d    dv += pᵀ·do     ds = p∘(do·vᵀ − D),  D[i] = doᵢ·oᵢ     dq += scale·ds·k     dk += scale·dsᵀ·q
 *                      db[δ] += Σ ds[i, i + δ];   p is computed again from q, k and lse
 *
 *   q, o [T, heads·headDim], k, v [S, kvHeads·headDim], each with a row stride ld… in elements. Query head h reads
 *   key-value head h / (heads / kvHeads). dq, dk, dv, do are shaped and strided in the same way.
 *   lse [T, heads]; 0 for none. −∞, and o = 0, where a query sees no key.
 *   segments: i32 quadruples qStart, qEnd, kStart, kEnd (rows, ends exclusive). The queries are the last of their
 *   segment: query i stands at position p = (kEnd − kStart) − (qEnd − qStart) + i, so a cached past is only more keys.
 *   bias [heads, ldBias]: b of head h for a key δ positions after the query is element biasZero + δ of row h. It must
 *   reach every |δ| < max(queries, keys) of a segment. 0 for none.
 *   dBias [segments, heads, ldBias], one slab for each segment so that no two items share one; 0 for none.
 *   causal: key positions ≤ p, and > p − window if window > 0 (Mistral). Not causal: all keys, whatever the window.
 *   start, end: range of segment · kvHeads + key-value head, so that dk and dv of one item have one writer.
 *   workspace: attention_workspace(headDim) bytes, 16-byte aligned, one for each caller.
 *
 * Scores are held transposed, [key][four queries]: a softmax then runs along the lanes with no horizontal step, and the
 * probabilities already are the packed left operand of p·v. The online softmax is that of Milakov and Gimelshein
 * (2018), the order of the tiles that of FlashAttention-2 (Dao 2023).
 */
import { exp4 } from "../simd/exp";
import { axpy, dot } from "../simd/lanes";
import { biasScores4, gradientOfBias4 } from "./bias";
import { below4, end4, endKey, enter, firstKey, JOB, Job, KEYS, open } from "./job";
import { attendOne, finish1 } from "./one-query";
import { packLanes, packRows, product, roundUp, tile, transposePanels } from "./tile";

/** Bytes kept for a Gradient, after the Job. */
const GRADIENT: i32 = 128;
/** Queries that share one packing of the keys in the forward pass. */
const BLOCK: i32 = 256;
/** Queries of one score tile. 16 beats 32 by 15 % at 64 tokens (less lies above the diagonal) and equals it at 1024. */
const ROWS: i32 = 16;
/** Fewer queries than this attend one by one, with nothing packed (decoding). */
const FEW: i32 = 4;
/** Bytes between two panels of four queries in a score tile. */
const PANEL: usize = <usize>KEYS << 4;

/** Bytes of working memory that either kernel needs. */
export function attention_workspace(headDim: i32): i32 {
  const depth = roundUp(headDim, 8);
  const forward = (BLOCK + KEYS) * (headDim + depth) + BLOCK * 3 + ROWS * KEYS;
  const gradient = (KEYS + ROWS) * (2 * headDim + 3 * depth) + 3 * ROWS * KEYS + 2 * ROWS;
  return JOB + GRADIENT + (max(forward, gradient) << 2);
}

/**
 * @split items of headDim * ldq
 * @workspace attention_workspace(headDim)
 */
export function attention_f32(
  o: usize, lse: usize, q: usize, k: usize, v: usize,
  heads: i32, kvHeads: i32, headDim: i32, ldq: i32, ldk: i32, ldv: i32, ldo: i32,
  segments: usize, scale: f32, causal: i32, window: i32, bias: usize, biasZero: i32, ldBias: i32,
  workspace: usize, start: i32, end: i32,
): void {
  assert(heads % kvHeads == 0);
  const job = open(workspace, heads, headDim, ldq, ldk, ldv, ldo, scale, causal, window, bias, biasZero, ldBias);
  const group = heads / kvHeads;
  for (let item = start; item < end; item++) {
    const segment = segments + (<usize>(item / kvHeads) << 4);
    for (let h = (item % kvHeads) * group, last = h + group; h < last; h++) {
      enter(job, segment, h, h / group, q, k, v, o, lse);
      if (job.queries < FEW) for (let i = 0; i < job.queries; i++) attendOne(job, i);
      else for (let i = 0; i < job.queries; i += BLOCK) attendBlock(job, i, min(job.queries - i, BLOCK));
    }
  }
}

/** The forward pass of `rows` ≤ BLOCK queries from query i. Statistics are per four queries: maximum, sum, factor. */
function attendBlock(job: Job, i: i32, rows: i32): void {
  const d = job.headDim, depth = job.depth;
  const rowSum = <usize>depth << 2;
  const packedQ = changetype<usize>(job) + JOB;
  const sums = packedQ + (<usize>(BLOCK * d) << 2);
  const packedK = sums + (<usize>(BLOCK * depth) << 2);
  const packedV = packedK + (<usize>(KEYS * d) << 2);
  const scores = packedV + (<usize>(KEYS * depth) << 2);
  const stats = scores + (<usize>(ROWS * KEYS) << 2);
  packLanes(packedQ, 8, job.q + <usize>i * job.rowQ, job.rowQ, rows, d);
  memory.fill(sums, 0, <usize>roundUp(rows, 8) * rowSum);
  for (let r = 0; r < rows; r += 4) startStats(stats + <usize>r * 12);

  const end = endKey(job, i + rows - 1);
  for (let key = firstKey(job, i); key < end; key += KEYS) {
    const n = min(end - key, KEYS), n4 = roundUp(n, 4);
    packLanes(packedK, 4, job.k + <usize>key * job.rowK, job.rowK, n, d);
    packRows(packedV, job.v + <usize>key * job.rowV, job.rowV, n, n4, d);
    for (let r = 0; r < rows; r += ROWS) {
      const m = min(rows - r, ROWS);
      const from = max(firstKey(job, i + r) - key, 0) & ~3;
      const count = min(roundUp(endKey(job, i + r + m - 1) - key, 4), n4) - from;
      if (count <= 0) continue;
      multiplyScores(scores, packedK + (<usize>(from * d) << 2), packedQ + (<usize>(r * d) << 2), d, m, count);
      const out = sums + <usize>r * rowSum;
      for (let t = 0; t < m; t += 4) {
        const stat = stats + <usize>(r + t) * 12;
        const panel = scores + <usize>(t >> 2) * PANEL;
        if (job.bias) biasScores4(job, panel, i + r + t, key + from, count);
        softmax4(job, panel, stat, i + r + t, key + from, count);
        scaleRows(out + <usize>t * rowSum, rowSum, stat + 32, 4, depth);
      }
      product(out, rowSum, scores, PANEL, packedV + (<usize>from << 5), <usize>n4 << 5, m, depth, count, false);
    }
  }
  for (let r = 0; r < rows; r += 4) {
    finish4(job, sums + <usize>r * rowSum, stats + <usize>r * 12, i + r, min(rows - r, 4));
  }
}

/** scores[query / 4][key][query & 3] = kⱼ·qᵢ for `rows` queries, rounded up to whole panels of 8, and `count` keys. */
function multiplyScores(scores: usize, keys4: usize, queries8: usize, d: i32, rows: i32, count: i32): void {
  for (let i = 0; i < rows; i += 8, scores += PANEL * 2, queries8 += <usize>d << 5) {
    let a = keys4, c = scores;
    for (let j = 0; j < count; j += 4, a += <usize>d << 4, c += 64) tile(c, 16, PANEL, a, queries8, d, true);
  }
}

function startStats(stat: usize): void {
  v128.store(stat, f32x4.splat(-f32.MAX_VALUE));
  v128.store(stat, f32x4.splat(0), 16);
}

/**
 * Turns the scores p of four queries from query i, and of `count` keys from `key`, into exp(score − maximum so far), 0
 * where unseen; the statistics follow, and factor = exp(maximum before − maximum now) is due to all earlier sums.
 */
function softmax4(job: Job, p: usize, stat: usize, i: i32, key: i32, count: i32): void {
  const below = below4(job, i), ends = end4(job, i), due = f32x4.splat(job.due), unseen = f32x4.splat(-Infinity);
  const end = p + (<usize>count << 4);
  const before = v128.load(stat);
  let highest = before;
  let j = i32x4.splat(key);
  for (let x = p; x < end; x += 16, j = i32x4.add(j, i32x4.splat(1))) {
    const seen = v128.and(i32x4.gt_s(j, below), i32x4.lt_s(j, ends));
    const score = v128.bitselect(f32x4.mul(v128.load(x), due), unseen, seen);
    highest = f32x4.pmax(highest, score);
    v128.store(x, score);
  }
  const factor = exp4(f32x4.sub(before, highest));
  let sum = f32x4.mul(v128.load(stat, 16), factor);
  for (let x = p; x < end; x += 16) {
    const e = exp4(f32x4.sub(v128.load(x), highest));
    sum = f32x4.add(sum, e);
    v128.store(x, e);
  }
  v128.store(stat, highest);
  v128.store(stat, sum, 16);
  v128.store(stat, factor, 32);
}

/** x[r, :] *= factors[r] for rows of n values (a multiple of 4); a factor of one costs nothing. */
function scaleRows(x: usize, rowX: usize, factors: usize, rows: i32, n: i32): void {
  for (let r = 0; r < rows; r++, x += rowX, factors += 4) {
    if (load<f32>(factors) == 1) continue;
    const factor = v128.load32_splat(factors);
    const end = x + (<usize>n << 2);
    for (let p = x; p < end; p += 16) v128.store(p, f32x4.mul(v128.load(p), factor));
  }
}

/** Writes o and lse of up to four queries from query i: sums over probabilities, divided by the sum of these. */
function finish4(job: Job, sums: usize, stat: usize, i: i32, rows: i32): void {
  for (let r = 0; r < rows; r++, stat += 4, sums += <usize>job.depth << 2) {
    const o = job.o + <usize>(i + r) * job.rowO;
    memory.copy(o, sums, <usize>job.headDim << 2);
    finish1(job, i + r, load<f32>(stat), load<f32>(stat, 16));
  }
}

/** Beside the job: one head's gradients, the packed parts of one tile of keys, and those of one tile of queries. */
@unmanaged
class Gradient {
  dO: usize;
  rowDO: usize;
  dq: usize;
  rowDq: usize;
  /** Gradients of the bias of distance 0: of the segment's first head, and of this head. 0 for none. */
  dBiases: usize;
  dBias: usize;
  /** k and v with keys as lanes, k by rows, and the tile's sums for dk and dv. */
  keys4: usize;
  values4: usize;
  keyRows: usize;
  sumDk: usize;
  sumDv: usize;
  /** q and do with queries as lanes and by rows, the tile's product for dq, and lse with D per four queries. */
  queries8: usize;
  dO8: usize;
  queryRows: usize;
  dORows: usize;
  productDq: usize;
  stats: usize;
  /** p, ds and either of them transposed. */
  p: usize;
  ds: usize;
  turned: usize;
}

/**
 * @split items of headDim * ldq
 * @workspace attention_workspace(headDim)
 */
export function attention_f32_d(
  dq: usize, dk: usize, dv: usize, dBias: usize, dO: usize, q: usize, k: usize, v: usize, o: usize, lse: usize,
  heads: i32, kvHeads: i32, headDim: i32, ldq: i32, ldk: i32, ldv: i32, ldo: i32,
  lddq: i32, lddk: i32, lddv: i32, lddo: i32,
  segments: usize, scale: f32, causal: i32, window: i32, bias: usize, biasZero: i32, ldBias: i32,
  workspace: usize, start: i32, end: i32,
): void {
  assert(heads % kvHeads == 0);
  const job = open(workspace, heads, headDim, ldq, ldk, ldv, ldo, scale, causal, window, bias, biasZero, ldBias);
  const g = openGradient(job, lddq, lddo);
  const group = heads / kvHeads;
  const rowDk = <usize>lddk << 2, rowDv = <usize>lddv << 2, rowSum = <usize>job.depth << 2;
  for (let item = start; item < end; item++) {
    const segment = segments + (<usize>(item / kvHeads) << 4);
    const kvHead = item % kvHeads;
    g.dBiases = dBias == 0 ? 0 : dBias + (<usize>biasZero << 2) + <usize>(item / kvHeads * heads) * job.rowBias;
    enter(job, segment, kvHead * group, kvHead, q, k, v, o, lse);
    for (let key = 0; key < job.keys; key += KEYS) {
      const n = min(job.keys - key, KEYS);
      packKeys(job, g, key, n);
      for (let h = kvHead * group, last = h + group; h < last; h++) {
        enter(job, segment, h, kvHead, q, k, v, o, lse);
        enterGradient(job, g, segment, h, dq, dO);
        for (let i = 0; i < job.queries; i += ROWS) gradientOfTile(job, g, i, min(job.queries - i, ROWS), key, n);
      }
      const row = <usize>(load<i32>(segment, 8) + key), column = <usize>(kvHead * headDim) << 2;
      addRows(dk + row * rowDk + column, rowDk, g.sumDk, rowSum, n, headDim);
      addRows(dv + row * rowDv + column, rowDv, g.sumDv, rowSum, n, headDim);
    }
  }
}

function openGradient(job: Job, lddq: i32, lddo: i32): Gradient {
  const g = changetype<Gradient>(changetype<usize>(job) + JOB);
  const lanes = <usize>job.headDim << 2, row = <usize>job.depth << 2;
  const keys: usize = KEYS, queries: usize = ROWS, scores = keys * queries << 2;
  g.rowDO = <usize>lddo << 2;
  g.rowDq = <usize>lddq << 2;
  g.keys4 = changetype<usize>(g) + GRADIENT;
  g.values4 = g.keys4 + keys * lanes;
  g.keyRows = g.values4 + keys * lanes;
  g.sumDk = g.keyRows + keys * row;
  g.sumDv = g.sumDk + keys * row;
  g.queries8 = g.sumDv + keys * row;
  g.dO8 = g.queries8 + queries * lanes;
  g.queryRows = g.dO8 + queries * lanes;
  g.dORows = g.queryRows + queries * row;
  g.productDq = g.dORows + queries * row;
  g.p = g.productDq + queries * row;
  g.ds = g.p + scores;
  g.turned = g.ds + scores;
  g.stats = g.turned + scores;
  return g;
}

function enterGradient(job: Job, g: Gradient, segment: usize, h: i32, dq: usize, dO: usize): void {
  const qStart = <usize>load<i32>(segment), column = <usize>(h * job.headDim) << 2;
  g.dq = dq + qStart * g.rowDq + column;
  g.dO = dO + qStart * g.rowDO + column;
  g.dBias = g.dBiases == 0 ? 0 : g.dBiases + <usize>h * job.rowBias;
}

/** Packs n keys and values from `key` and clears their sums. */
function packKeys(job: Job, g: Gradient, key: i32, n: i32): void {
  const k = job.k + <usize>key * job.rowK, v = job.v + <usize>key * job.rowV;
  packLanes(g.keys4, 4, k, job.rowK, n, job.headDim);
  packLanes(g.values4, 4, v, job.rowV, n, job.headDim);
  packRows(g.keyRows, k, job.rowK, n, roundUp(n, 4), job.headDim);
  memory.fill(g.sumDk, 0, g.queries8 - g.sumDk);
}

/** Packs m queries from query i, and their lse and D = do·o, four of each in turn; 0 for queries that do not exist. */
function packQueries(job: Job, g: Gradient, i: i32, m: i32): void {
  const m8 = roundUp(m, 8), d = job.headDim;
  const q = job.q + <usize>i * job.rowQ;
  let o = job.o + <usize>i * job.rowO, dO = g.dO + <usize>i * g.rowDO;
  packLanes(g.queries8, 8, q, job.rowQ, m, d);
  packLanes(g.dO8, 8, dO, g.rowDO, m, d);
  packRows(g.queryRows, q, job.rowQ, m, m8, d);
  packRows(g.dORows, dO, g.rowDO, m, m8, d);
  for (let r = 0; r < m8; r++, o += job.rowO, dO += g.rowDO) {
    const stat = g.stats + (<usize>((r & ~3) + r) << 2);
    store<f32>(stat, r < m ? load<f32>(job.lse + (<usize>(i + r) * job.heads << 2)) : 0);
    store<f32>(stat, r < m ? dot(dO, o, d) : 0, 16);
  }
}

/** What m queries from query i and n keys from `key`, already packed, add to each other's gradients. */
function gradientOfTile(job: Job, g: Gradient, i: i32, m: i32, key: i32, n: i32): void {
  const from = max(firstKey(job, i) - key, 0) & ~3;
  const count = min(roundUp(endKey(job, i + m - 1) - key, 4), roundUp(n, 4)) - from;
  if (count <= 0) return;
  const d = job.headDim, depth = job.depth, m8 = roundUp(m, 8);
  const skip4 = <usize>(from * d) << 2, skipRows = <usize>(from * depth) << 2;
  const row = <usize>depth << 2, panelM = <usize>m8 << 5, turnedPanel = <usize>ROWS << 4;
  packQueries(job, g, i, m);
  multiplyScores(g.p, g.keys4 + skip4, g.queries8, d, m, count);
  multiplyScores(g.ds, g.values4 + skip4, g.dO8, d, m, count);
  for (let r = 0; r < m8; r += 4) {
    const skip = <usize>(r >> 2) * PANEL;
    if (job.bias) biasScores4(job, g.p + skip, i + r, key + from, count);
    probabilities4(job, g.p + skip, g.ds + skip, g.stats + (<usize>r << 3), i + r, key + from, count);
    if (job.bias) gradientOfBias4(job, g.dBias, g.ds + skip, i + r, key + from, count);
  }
  transposePanels(g.turned, turnedPanel, g.p, PANEL, m8, count);
  product(g.sumDv + skipRows, row, g.turned, turnedPanel, g.dORows, panelM, count, depth, m8, false);
  transposePanels(g.turned, turnedPanel, g.ds, PANEL, m8, count);
  product(g.sumDk + skipRows, row, g.turned, turnedPanel, g.queryRows, panelM, count, depth, m8, false);
  const panelN = <usize>roundUp(n, 4) << 5;
  product(g.productDq, row, g.ds, PANEL, g.keyRows + (<usize>from << 5), panelN, m8, depth, count, true);
  addRows(g.dq + <usize>i * g.rowDq, g.rowDq, g.productDq, row, m, d);
}

/**
 * For four queries from query i and `count` keys from `key`: the scores p become probabilities, 0 where unseen, and
 * ds, which holds do·vᵀ, becomes the gradient of the scores as they were found.
 */
function probabilities4(job: Job, p: usize, ds: usize, stat: usize, i: i32, key: i32, count: i32): void {
  const below = below4(job, i), ends = end4(job, i), due = f32x4.splat(job.due);
  const lse = v128.load(stat), mean = v128.load(stat, 16);
  let j = i32x4.splat(key);
  for (const end = p + (<usize>count << 4); p < end; p += 16, ds += 16, j = i32x4.add(j, i32x4.splat(1))) {
    const seen = v128.and(i32x4.gt_s(j, below), i32x4.lt_s(j, ends));
    const e = v128.and(exp4(f32x4.sub(f32x4.mul(v128.load(p), due), lse)), seen);
    v128.store(p, e);
    v128.store(ds, f32x4.mul(f32x4.mul(e, due), f32x4.sub(v128.load(ds), mean)));
  }
}

/** y[i, :] += x[i, :] for n rows of d values. */
function addRows(y: usize, rowY: usize, x: usize, rowX: usize, n: i32, d: i32): void {
  for (let i = 0; i < n; i++, y += rowY, x += rowX) axpy(y, 1, x, d);
}
