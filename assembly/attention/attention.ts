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
 * Scores come multiplied by log₂ e, which is folded into the packed queries with the scale: softmax.ts. The forward pass holds them
 * [key][query], where a softmax runs along the lanes with no horizontal step and the probabilities already are the left operand of
 * p·v; the gradient, which needs no maxima, holds them [query][key], where p and ds already are that of dv and dk. Query heads that
 * share keys and values share their packing. The online softmax is that of Milakov and Gimelshein (2018), the order of the tiles that of
 * FlashAttention-2 (Dao 2023).
 */
import { axpy, dot, madd } from "../simd/lanes";
import { completeScores } from "./bias";
import { endKey, enter, enterHead, FAR, firstKey, JOB, Job, KEYS, open } from "./job";
import { attendOne, finish1 } from "./one-query";
import { FACTOR, LOG2_E, powers, softmax8, startStats, STATS, SUM } from "./softmax";
import { COLS, packLanes, packRows, product, roundUp } from "./tile";

/** Bytes kept for a Gradient, after the Job. */
const GRADIENT: i32 = 128;
/** Queries, of all heads that share them, for which keys are packed once in the forward pass. */
const BLOCK: i32 = 512;
/** Queries of one score tile. 16 beats 32 by 15 % at 64 tokens (less lies above the diagonal) and equals it at 1024. */
const ROWS: i32 = 16;
/**
 * Keys and queries of one tile of the gradient. Rows of q, do, o and dq lie far apart in memory and are read once for each tile of keys: 256
 * keys are 5 % faster than 128, and 64 queries 5 % faster than 16.
 */
const KEYS_D: i32 = 256;
const ROWS_D: i32 = 64;
/** Fewer queries than this attend one by one, with nothing packed (decoding). */
const FEW: i32 = 4;
/**
 * Bytes from one key to the next in a score tile of the forward pass, and from one query to the next in one of the gradient: not a power of
 * two, since queries would compete for a few lines of the cache.
 */
const BY_KEY: usize = <usize>ROWS << 2;
const BY_QUERY: usize = <usize>(KEYS_D + 16) << 2;
/** Bytes of the scores of one tile of the gradient. */
const SCORES_D: usize = ROWS_D * BY_QUERY;

/** Bytes of working memory that either kernel needs. */
export function attention_workspace(headDim: i32): i32 {
  const depth = roundUp(headDim, COLS);
  const forward = (BLOCK + KEYS) * 2 * (depth << 2) + (BLOCK >> 3) * <i32>STATS + KEYS * <i32>BY_KEY;
  const gradient = (KEYS_D + ROWS_D) * 5 * (depth << 2) + 3 * <i32>SCORES_D + <i32>STATS;
  return JOB + GRADIENT + max(forward, gradient);
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
  const group = heads / kvHeads, together = min(group, BLOCK / ROWS);
  const rows = BLOCK / together & -ROWS;
  for (let item = start; item < end; item++) {
    enter(job, segments + (<usize>(item / kvHeads) << 4), item % kvHeads, q, k, v, o, lse);
    for (let h = (item % kvHeads) * group, last = h + group; h < last; h += together) {
      const n = min(last - h, together);
      if (job.queries < FEW) attendFew(job, h, n);
      else for (let i = 0; i < job.queries; i += rows) attendBlock(job, h, n, i, min(job.queries - i, rows));
    }
  }
}

function attendFew(job: Job, h: i32, heads: i32): void {
  for (const last = h + heads; h < last; h++) {
    enterHead(job, h);
    for (let i = 0; i < job.queries; i++) attendOne(job, i);
  }
}

/** The forward pass of `rows` queries from query i in `heads` heads from h, at most BLOCK of them when rows are whole tiles. */
function attendBlock(job: Job, h: i32, heads: i32, i: i32, rows: i32): void {
  const d = job.headDim, depth = job.depth, padded = roundUp(rows, ROWS), all = heads * padded;
  const rowSum = <usize>depth << 2;
  const packedQ = changetype<usize>(job) + JOB;
  const sums = packedQ + BLOCK * rowSum;
  const packedK = sums + BLOCK * rowSum;
  const packedV = packedK + KEYS * rowSum;
  const scores = packedV + KEYS * rowSum;
  const stats = scores + KEYS * BY_KEY;
  memory.fill(sums, 0, <usize>all * rowSum);
  for (let g = 0; g < heads; g++) {
    enterHead(job, h + g);
    packLanes(packedQ + (<usize>(g * padded * d) << 2), COLS, job.q + <usize>i * job.rowQ, job.rowQ, rows, d, job.scale2);
  }
  for (let r = 0; r < all; r += 8) startStats(stats + <usize>(r >> 3) * STATS);

  const end = endKey(job, i + rows - 1);
  for (let key = firstKey(job, i); key < end; key += KEYS) {
    const n = min(end - key, KEYS), n4 = roundUp(n, 4);
    packLanes(packedK, 4, job.k + <usize>key * job.rowK, job.rowK, n, d, 1);
    packRows(packedV, job.v + <usize>key * job.rowV, job.rowV, n, n4, d);
    for (let r = 0; r < all; r += ROWS) {
      const first = r % padded, m = min(rows - first, ROWS), at = i + first;
      const from = max(firstKey(job, at) - key, 0) & ~3;
      const count = min(roundUp(endKey(job, at + m - 1) - key, 4), n4) - from;
      if (count <= 0) continue;
      enterHead(job, h + r / padded);
      const a = packedK + (<usize>(from * d) << 2), b = packedQ + (<usize>(r * d) << 2);
      product(scores, BY_KEY, a, 16, <usize>d << 4, b, <usize>(d * COLS) << 2, count, m, d, -FAR, FAR, true);
      const out = sums + <usize>r * rowSum;
      for (let t = 0; t < m; t += 8) {
        const stat = stats + <usize>((r + t) >> 3) * STATS, x = scores + (<usize>t << 2);
        for (let l = 0; l < min(m - t, 8); l++) {
          completeScores(job, x + (<usize>l << 2), BY_KEY, at + t + l, key + from, count);
        }
        softmax8(stat, x, BY_KEY, count);
        scaleRows(out + <usize>t * rowSum, rowSum, stat + FACTOR, 8);
      }
      const panelV = <usize>(n4 * COLS) << 2, v = packedV + (<usize>(from * COLS) << 2);
      const end = job.ahead + at + 4 - key - from;
      product(out, rowSum, scores, BY_KEY, 16, v, panelV, m, depth, count, end - 3 - job.window, end, false);
    }
  }
  for (let r = 0; r < all; r += padded) {
    enterHead(job, h + r / padded);
    for (let t = 0; t < rows; t++) {
      const stat = stats + <usize>((r + t) >> 3) * STATS + (<usize>((r + t) & 7) << 2);
      finish1(job, i + t, sums + <usize>(r + t) * rowSum, load<f32>(stat), load<f32>(stat, SUM));
    }
  }
}

/** x[r, :] *= factors[r] for rows of `row` bytes, a multiple of 32; a factor of one costs nothing. */
function scaleRows(x: usize, row: usize, factors: usize, rows: i32): void {
  for (let r = 0; r < rows; r++, x += row, factors += 4) {
    if (load<f32>(factors) == 1) continue;
    const factor = v128.load32_splat(factors);
    for (let p = x, end = x + row; p < end; p += 32) {
      const y0 = f32x4.mul(v128.load(p), factor), y1 = f32x4.mul(v128.load(p, 16), factor);
      v128.store(p, y0), v128.store(p, y1, 16);
    }
  }
}

/** Beside the job: one head's gradients, the packed parts of one tile of keys, and those of one tile of queries. */
@unmanaged
class Gradient {
  firstDq: usize;
  firstDO: usize;
  dO: usize;
  rowDO: usize;
  dq: usize;
  rowDq: usize;
  /** Gradients of the bias of distance 0: of the segment's first head (none: 0), and of this head. */
  dBiases: usize;
  dBias: usize;
  /** Of the tile of keys, keyBytes each: k and v with keys as lanes, k by rows, the sums for dk and dv. */
  keys: usize;
  keyBytes: usize;
  /** Of the tile of queries, queryBytes each: q and do with queries as lanes, both by rows, the product for dq. */
  queries: usize;
  queryBytes: usize;
  /** SCORES_D each: p, ds, and ds transposed; then the statistics of one query. */
  scores: usize;
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
    enter(job, segment, kvHead, q, k, v, o, lse);
    g.firstDq = dq + <usize>load<i32>(segment) * g.rowDq;
    g.firstDO = dO + <usize>load<i32>(segment) * g.rowDO;
    g.dBiases = dBias == 0 ? 0 : dBias + (<usize>biasZero << 2) + <usize>(item / kvHeads * heads) * job.rowBias;
    for (let key = 0; key < job.keys; key += KEYS_D) {
      const n = min(job.keys - key, KEYS_D);
      packKeys(job, g, key, n);
      for (let h = kvHead * group, last = h + group; h < last; h++) {
        enterHead(job, h);
        enterGradient(job, g, h);
        for (let i = 0; i < job.queries; i += ROWS_D) gradientOfTile(job, g, i, min(job.queries - i, ROWS_D), key, n);
      }
      const row = <usize>(load<i32>(segment, 8) + key), column = <usize>(kvHead * headDim) << 2;
      const sumDk = g.keys + 3 * g.keyBytes;
      addRows(dk + row * rowDk + column, rowDk, scale, sumDk, rowSum, n, headDim);
      addRows(dv + row * rowDv + column, rowDv, 1, sumDk + g.keyBytes, rowSum, n, headDim);
    }
  }
}

function openGradient(job: Job, lddq: i32, lddo: i32): Gradient {
  const g = changetype<Gradient>(changetype<usize>(job) + JOB);
  const row = <usize>job.depth << 2;
  g.rowDO = <usize>lddo << 2;
  g.rowDq = <usize>lddq << 2;
  g.keys = changetype<usize>(g) + GRADIENT;
  g.keyBytes = KEYS_D * row;
  g.queries = g.keys + 5 * g.keyBytes;
  g.queryBytes = ROWS_D * row;
  g.scores = g.queries + 5 * g.queryBytes;
  return g;
}

function enterGradient(job: Job, g: Gradient, h: i32): void {
  const column = <usize>(h * job.headDim) << 2;
  g.dq = g.firstDq + column;
  g.dO = g.firstDO + column;
  g.dBias = g.dBiases + <usize>h * job.rowBias;
}

/** Packs n keys and values from `key` and clears their sums. */
function packKeys(job: Job, g: Gradient, key: i32, n: i32): void {
  const k = job.k + <usize>key * job.rowK, v = job.v + <usize>key * job.rowV;
  packLanes(g.keys, COLS, k, job.rowK, n, job.headDim, 1);
  packLanes(g.keys + g.keyBytes, COLS, v, job.rowV, n, job.headDim, 1);
  packRows(g.keys + 2 * g.keyBytes, k, job.rowK, n, roundUp(n, COLS), job.headDim);
  memory.fill(g.keys + 3 * g.keyBytes, 0, 2 * g.keyBytes);
}

/** What m queries from query i and n keys from `key`, already packed, add to each other's gradients. */
function gradientOfTile(job: Job, g: Gradient, i: i32, m: i32, key: i32, n: i32): void {
  const from = max(firstKey(job, i) - key, 0) & -COLS;
  const count = min(roundUp(endKey(job, i + m - 1) - key, 8), roundUp(n, 8)) - from;
  if (count <= 0) return;
  const d = job.headDim, depth = job.depth, row = <usize>depth << 2;
  const q = job.q + <usize>i * job.rowQ, dO = g.dO + <usize>i * g.rowDO;
  const dO4 = g.queries + g.queryBytes, queryRows = dO4 + g.queryBytes, dORows = queryRows + g.queryBytes;
  packLanes(g.queries, 4, q, job.rowQ, m, d, job.scale2);
  packLanes(dO4, 4, dO, g.rowDO, m, d, 1);
  packRows(queryRows, q, job.rowQ, m, m, d);
  packRows(dORows, dO, g.rowDO, m, m, d);
  key += from;
  const lag = key - job.ahead - i, keys = g.keys + (<usize>(from * d) << 2);
  const p = g.scores, ds = p + SCORES_D, turned = ds + SCORES_D;
  multiply(job, p, g.queries, keys, m, count, lag);
  multiply(job, ds, dO4, keys + g.keyBytes, m, count, lag);
  for (let t = 0; t < m; t += 4) {
    const begin = max(firstKey(job, i + t) - key, 0) & -8, end = min(roundUp(endKey(job, i + t + 3) - key, 8), count);
    const skip = <usize>t * BY_QUERY, four = ds + skip + (<usize>begin << 2);
    for (let r = t; r < min(t + 4, m); r++) gradientOfRow(job, g, r, i + r, key, begin, end);
    packLanes(turned + skip + (<usize>begin << 4), 4, four, BY_QUERY, 4, end - begin, 1);
  }
  const keyRows = g.keys + 2 * g.keyBytes, sumDk = keyRows + g.keyBytes + <usize>from * row;
  addUp(job, sumDk, ds, queryRows, m, count, lag);
  addUp(job, sumDk + g.keyBytes, p, dORows, m, count, lag);
  const b = keyRows + (<usize>(from * COLS) << 2), panelB = <usize>(roundUp(n, COLS) * COLS) << 2, end = 4 - lag;
  const dq = dORows + g.queryBytes;
  product(dq, row, turned, 16, BY_QUERY << 2, b, panelB, m, depth, count, end - 3 - job.window, end, true);
  addRows(g.dq + <usize>i * g.rowDq, g.rowDq, job.scale, dq, row, m, d);
}

/**
 * x[m, count] = A·Bᵀ where queries see keys, from panels of four queries and of COLS keys. Query t of the tile sees the keys j with
 * t − lag − window < j ≤ t − lag.
 */
function multiply(job: Job, x: usize, a: usize, b: usize, m: i32, count: i32, lag: i32): void {
  const d = job.headDim;
  for (let j = 0; j < count; j += COLS, x += <usize>COLS << 2, b += <usize>(d * COLS) << 2) {
    const t = max(j + lag, 0) & ~3, rows = min(j + COLS - 1 + lag + job.window, m) - t;
    product(x + <usize>t * BY_QUERY, BY_QUERY, a + (<usize>(t * d) << 2), 16, <usize>d << 4, b, 0, rows, COLS, d, -FAR, FAR, true);
  }
}

/** sum[count, depth] += xᵀ·B where queries see keys, from m rows of x and of B. */
function addUp(job: Job, sum: usize, x: usize, b: usize, m: i32, count: i32, lag: i32): void {
  const depth = job.depth, panelB = <usize>(m * COLS) << 2;
  product(sum, <usize>depth << 2, x, BY_QUERY, 16, b, panelB, count, depth, m, lag, lag + job.window + 3, false);
}

/**
 * For query i, row r of the tile, and its keys `begin` to `end`, counted from `key`: the scores become probabilities, 0 where unseen,
 * and ds, which holds do·vᵀ, becomes the gradient of the scores.
 */
function gradientOfRow(job: Job, g: Gradient, r: i32, i: i32, key: i32, begin: i32, end: i32): void {
  const p = g.scores + <usize>r * BY_QUERY + (<usize>begin << 2), ds = p + SCORES_D, stat = g.scores + 3 * SCORES_D;
  const count = end - begin;
  key += begin;
  completeScores(job, p, 4, i, key, count);
  const lse = load<f32>(job.lse + (<usize>i * job.heads << 2));
  const shift = f32x4.splat(lse == -Infinity ? 0 : lse * LOG2_E);
  v128.store(stat, shift), v128.store(stat, shift, 16);
  powers(p, 32, count >> 3, stat, stat + SUM);
  const mean = f32x4.splat(dot(g.dO + <usize>i * g.rowDO, job.o + <usize>i * job.rowO, job.headDim));
  for (let x = p, y = ds, last = p + (<usize>count << 2); x < last; x += 32, y += 32) {
    const d0 = f32x4.mul(v128.load(x), f32x4.sub(v128.load(y), mean));
    const d1 = f32x4.mul(v128.load(x, 16), f32x4.sub(v128.load(y, 16), mean));
    v128.store(y, d0), v128.store(y, d1, 16);
  }
  if (g.dBiases) axpy(g.dBias + (<usize>(key - job.past - i) << 2), 1, ds, min(count, job.keys - key));
}

/** y[i, :] += alpha·x[i, :] for n rows of d values. */
function addRows(y: usize, rowY: usize, alpha: f32, x: usize, rowX: usize, n: i32, d: i32): void {
  const pairs = <usize>(WIDE ? d & ~7 : 0) << 2, factor = f32x4.splat(alpha);
  for (let i = 0; i < n; i++, y += rowY, x += rowX) {
    if (WIDE) {
      for (let p = x, out = y, end = x + pairs; p < end; p += 32, out += 32) {
        const y0 = madd(factor, v128.load(p), v128.load(out)), y1 = madd(factor, v128.load(p, 16), v128.load(out, 16));
        v128.store(out, y0), v128.store(out, y1, 16);
      }
    }
    axpy(y + pairs, alpha, x + pairs, d - <i32>(pairs >> 2));
  }
}
