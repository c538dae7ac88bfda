import type { Reference } from "../kernels/bed.ts";

/**
 * Cross-entropy in f64. f32 rounds the argument of exp(l − m) to |l − m|·2⁻²⁴, so magnitudes of exponentials carry the
 * factor 1 + |l − m|.
 */

const rowsOf = (a: ArrayLike<number>, width: number) =>
  Array.from({ length: a.length / width }, (_, i) => Array.from(a).slice(i * width, (i + 1) * width));
const total = (terms: number[]) => terms.reduce((a, b) => a + b, 0);

/** exp(l − shift[i]) for row i of l [R, count]. */
export function shiftedExp(l: ArrayLike<number>, shift: ArrayLike<number>, count: number): Reference {
  const argument = Array.from(l, (v, e) => v - shift[Math.floor(e / count)]!);
  return {
    values: argument.map(Math.exp),
    magnitudes: argument.map((v) => Math.exp(v) * (1 + Math.abs(v))),
  };
}

/** Largest logit m, Σ exp(l − m), log Σ exp(l) and loss of each row of l [R, V]. */
export function crossEntropy(l: ArrayLike<number>, labels: readonly number[]) {
  const rows = rowsOf(l, l.length / labels.length);
  const max = rows.map((row) => Math.max(...row));
  const sum = rows.map((row, i) => total(row.map((v) => Math.exp(v - max[i]!))));
  const sumSize = rows.map((row, i) => total(row.map((v) => Math.exp(v - max[i]!) * (1 + max[i]! - v))));
  const lse = sum.map((s, i) => max[i]! + Math.log(s));
  const lseSize = lse.map((v, i) => Math.abs(v) + Math.abs(max[i]!) + sumSize[i]! / sum[i]!);
  const label = labels.map((id, i) => rows[i]![id]!);
  return {
    max,
    sum: { values: sum, magnitudes: sumSize },
    lse: { values: lse, magnitudes: lseSize },
    loss: { values: lse.map((v, i) => v - label[i]!), magnitudes: lseSize.map((v, i) => v + Math.abs(label[i]!)) },
  };
}

/** g·(softmax(l) − onehot): the gradient of Σ g·loss with respect to the logits l [R, V], with a g for each row. */
export function dlogits(l: ArrayLike<number>, labels: readonly number[], g: ArrayLike<number>): Reference {
  const width = l.length / labels.length;
  const { lse } = crossEntropy(l, labels);
  const p = shiftedExp(l, lse.values, width);
  const hit = (e: number) => (e % width === labels[Math.floor(e / width)] ? 1 : 0);
  return {
    values: Array.from(p.values, (v, e) => g[Math.floor(e / width)]! * (v - hit(e))),
    magnitudes: Array.from(p.magnitudes, (v, e) => {
      const i = Math.floor(e / width);
      return Math.abs(g[i]!) * (v + p.values[e]! * lse.magnitudes[i]! + hit(e));
    }),
  };
}

/** h·Wᵀ for h [R, D], w [V, D]. */
export function logitsOf(h: ArrayLike<number>, w: ArrayLike<number>, width: number): number[] {
  const head = rowsOf(w, width);
  return rowsOf(h, width).flatMap((x) => head.map((row) => total(row.map((v, c) => v * x[c]!))));
}

/** g·(softmax(l)·W − W[label]): the gradient with respect to the hidden rows, l [R, V], w [V, D]. */
export function headDx(
  l: ArrayLike<number>,
  w: ArrayLike<number>,
  width: number,
  labels: readonly number[],
  g: ArrayLike<number>,
): Reference {
  const head = rowsOf(w, width);
  const d = dlogits(l, labels, g);
  const product = (weights: ArrayLike<number>, size: (v: number) => number) =>
    rowsOf(weights, head.length).flatMap((row) =>
      Array.from({ length: width }, (_, c) => total(row.map((v, id) => v * size(head[id]![c]!)))),
    );
  return { values: product(d.values, (v) => v), magnitudes: product(d.magnitudes, Math.abs) };
}
