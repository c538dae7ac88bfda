/**
 * Attention over ragged segments in f64, one score at a time.
 *
 * A probability is exp(s − lse), so an absolute error of the exponent is a relative error of the probability. With
 * a = max over keys of scale·Σ|q·k| + |bias|, the exponent's error is at most terms·2⁻²³·(2a + |lse|): hence the factor
 * `width` = 1 + 2a + |lse| on every magnitude that a probability enters.
 */
import type { Reference } from "../kernels/bed.ts";

/** The sizes and rules of one call; rows of q and o hold heads·headDim values, of k and v kvHeads·headDim, no gaps. */
export interface AttentionShape {
  heads: number;
  kvHeads: number;
  headDim: number;
  /** qStart, qEnd, kStart, kEnd of each segment, ends exclusive. */
  segments: readonly (readonly [number, number, number, number])[];
  scale: number;
  causal: boolean;
  window: number;
  /** Added to the scores: [heads, 2·reach − 1], distance 0 in column reach − 1. */
  bias?: { table: Numbers; reach: number } | null;
}

type Numbers = ArrayLike<number>;

/** Query row, query head, key rows [from, to) that the query sees, the key row where it stands itself, and its segment. */
type Visit = (i: number, h: number, from: number, to: number, own: number, segment: number) => void;

function eachQuery(shape: AttentionShape, visit: Visit): void {
  const { heads, segments, causal, window } = shape;
  segments.forEach(([qStart, qEnd, kStart, kEnd], segment) => {
    for (let i = qStart; i < qEnd; i++) {
      const position = kEnd - kStart - (qEnd - qStart) + (i - qStart);
      const first = causal && window > 0 ? Math.max(0, position - window + 1) : 0;
      const end = causal ? Math.max(position + 1, 0) : kEnd - kStart;
      for (let h = 0; h < heads; h++) visit(i, h, kStart + first, kStart + end, kStart + position, segment);
    }
  });
}

/** Element of a table of biases for head h and a key `distance` rows after the query. */
const biasAt = (reach: number, h: number, distance: number) => h * (2 * reach - 1) + reach - 1 + distance;

/** Σ x[a + c]·y[b + c], and the same of magnitudes. */
function dot(x: Numbers, a: number, y: Numbers, b: number, d: number): [number, number] {
  let sum = 0;
  let size = 0;
  for (let c = 0; c < d; c++) {
    const term = x[a + c]! * y[b + c]!;
    sum += term;
    size += Math.abs(term);
  }
  return [sum, size];
}

const reference = (length: number, start: number) => ({
  values: new Float64Array(length).fill(start),
  magnitudes: new Float64Array(length).fill(start),
});

/** Probabilities of one query and head, with lse and `width`. */
function softmax(
  shape: AttentionShape,
  q: Numbers,
  k: Numbers,
  ...[i, h, from, to, own]: [i: number, h: number, from: number, to: number, own: number]
) {
  const { heads, kvHeads, headDim: d, scale, bias } = shape;
  const g = Math.floor(h / (heads / kvHeads));
  const scores: number[] = [];
  let a = 0;
  for (let j = from; j < to; j++) {
    const [s, size] = dot(q, (i * heads + h) * d, k, (j * kvHeads + g) * d, d);
    const extra = bias ? bias.table[biasAt(bias.reach, h, j - own)]! : 0;
    scores.push(scale * s + extra);
    a = Math.max(a, Math.abs(scale) * size + Math.abs(extra));
  }
  const highest = scores.reduce((x, y) => Math.max(x, y), -Infinity);
  const lse =
    scores.length === 0 ? -Infinity : highest + Math.log(scores.reduce((t, s) => t + Math.exp(s - highest), 0));
  return { p: scores.map((s) => Math.exp(s - lse)), lse, width: scores.length === 0 ? 1 : 1 + 2 * a + Math.abs(lse) };
}

/** o [queries, heads·headDim] and lse [queries, heads]; NaN in rows of no segment. */
export function attention(shape: AttentionShape, q: Numbers, k: Numbers, v: Numbers): { o: Reference; lse: Reference } {
  const { heads, kvHeads, headDim: d } = shape;
  const o = reference(q.length, Number.NaN);
  const lse = reference(q.length / d, Number.NaN);
  eachQuery(shape, (i, h, from, to, own) => {
    const row = softmax(shape, q, k, i, h, from, to, own);
    lse.values[i * heads + h] = row.lse;
    lse.magnitudes[i * heads + h] = row.width;
    for (let c = 0; c < d; c++) {
      const out = (i * heads + h) * d + c;
      o.values[out] = o.magnitudes[out] = 0;
      row.p.forEach((p, j) => {
        const term = p * v[((from + j) * kvHeads + Math.floor((h * kvHeads) / heads)) * d + c]!;
        o.values[out]! += term;
        o.magnitudes[out]! += row.width * Math.abs(term);
      });
    }
  });
  return { o, lse };
}

/** Gradients of Σ o∘dO with respect to q, k, v and the bias, for each segment on its own [segments, heads, 2·reach − 1]. */
export function attentionGradient(shape: AttentionShape, dO: Numbers, q: Numbers, k: Numbers, v: Numbers) {
  const { heads, kvHeads, headDim: d, scale, bias } = shape;
  const { o } = attention(shape, q, k, v);
  const dq = reference(q.length, 0);
  const dk = reference(k.length, 0);
  const dv = reference(v.length, 0);
  const slab = bias ? heads * (2 * bias.reach - 1) : 0;
  const dBias = reference(shape.segments.length * slab, 0);
  const add = (to: ReturnType<typeof reference>, at: number, value: number, size: number) => {
    to.values[at]! += value;
    to.magnitudes[at]! += size;
  };
  eachQuery(shape, (i, h, from, to, own, segment) => {
    const { p, width } = softmax(shape, q, k, i, h, from, to, own);
    const query = (i * heads + h) * d;
    const [mean] = dot(dO, query, o.values, query, d);
    const meanSize = dot(
      Array.from({ length: d }, (_, c) => Math.abs(dO[query + c]!)),
      0,
      o.magnitudes,
      query,
      d,
    )[1];
    p.forEach((probability, n) => {
      const key = ((from + n) * kvHeads + Math.floor((h * kvHeads) / heads)) * d;
      const [dp, dpSize] = dot(dO, query, v, key, d);
      const slope = probability * (dp - mean);
      const slopeSize = probability * width * (dpSize + meanSize);
      if (bias) add(dBias, segment * slab + biasAt(bias.reach, h, from + n - own), slope, slopeSize);
      const ds = scale * slope;
      const dsSize = Math.abs(scale) * slopeSize;
      for (let c = 0; c < d; c++) {
        add(dv, key + c, probability * dO[query + c]!, width * probability * Math.abs(dO[query + c]!));
        add(dq, query + c, ds * k[key + c]!, dsSize * Math.abs(k[key + c]!));
        add(dk, key + c, ds * q[query + c]!, dsSize * Math.abs(q[query + c]!));
      }
    });
  });
  return { dq, dk, dv, dBias };
}
