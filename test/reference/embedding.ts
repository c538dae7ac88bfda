import type { Reference } from "../kernels/bed.ts";

type Ids = readonly number[];

const magnitudes = (values: number[]) => ({ values, magnitudes: values.map(Math.abs) });

/** table[ids[i], c] of rows ldt elements apart. A copy: nothing is rounded. */
export function embedding(table: ArrayLike<number>, ids: Ids, width: number, ldt: number): Reference {
  return magnitudes(ids.flatMap((id) => Array.from({ length: width }, (_, c) => table[id * ldt + c]!)));
}

/** scales[ids[i]]·table[ids[i], c]. */
export function embeddingInt8(
  table: ArrayLike<number>,
  scales: ArrayLike<number>,
  ids: Ids,
  width: number,
  ldt: number,
): Reference {
  return magnitudes(ids.flatMap((id) => Array.from({ length: width }, (_, c) => scales[id]! * table[id * ldt + c]!)));
}

/** Σ dy[i, c] over the i with ids[i] = v, added to before[v, c]. */
export function embeddingDtable(before: ArrayLike<number>, dy: ArrayLike<number>, ids: Ids, width: number): Reference {
  return scatter(before, dy, (e) => ids[Math.floor(e / width)]! * width + (e % width));
}

/** t[i, q] = a[q, ids[i]]. */
export function embeddingColumns(a: ArrayLike<number>, ids: Ids, r: number, vocabulary: number): Reference {
  return magnitudes(ids.flatMap((id) => Array.from({ length: r }, (_, q) => a[q * vocabulary + id]!)));
}

/** Σ dt[i, q] over the i with ids[i] = v, added to before[q, v]. */
export function embeddingColumnsDa(
  before: ArrayLike<number>,
  dt: ArrayLike<number>,
  ids: Ids,
  r: number,
  vocabulary: number,
): Reference {
  return scatter(before, dt, (e) => (e % r) * vocabulary + ids[Math.floor(e / r)]!);
}

function scatter(before: ArrayLike<number>, from: ArrayLike<number>, target: (e: number) => number): Reference {
  const values = Array.from(before);
  const magnitudes = values.map(Math.abs);
  for (let e = 0; e < from.length; e++) {
    values[target(e)]! += from[e]!;
    magnitudes[target(e)]! += Math.abs(from[e]!);
  }
  return { values, magnitudes };
}
