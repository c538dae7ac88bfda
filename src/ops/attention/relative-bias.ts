/**
 * Positions as a bias of attention scores that depends on the distance of key and query (Raffel et al. 2020, T5).
 *
 *   table[h, reach − 1 + d] = weight[bucket(d), h]      d = key position − query position
 *
 * Half of the buckets hold one distance each; the others grow logarithmically up to the largest distance, and the last
 * holds all beyond it.
 */
import { expectShape } from "../../core/shape.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import { readElements } from "../../tensor/elements.ts";
import { isTrained, type Weight } from "../../tensor/tensor.ts";

/** Numbers added to the scores of attention by the distance of key and query. */
export interface RelativeBias {
  /** [heads, 2·reach − 1]; the key `d` positions after the query is in column reach − 1 + d. */
  readonly table: Value;
  /** One more than the largest distance: at least the queries, and the keys, of the longest segment. */
  readonly reach: number;
}

export interface Buckets {
  readonly buckets: number;
  /** Distances from here on share the last bucket. */
  readonly maxDistance: number;
  /** Whether keys after the query have their own buckets (an encoder), or count as distance 0 (a decoder). */
  readonly bidirectional: boolean;
}

/** The table of a weight [buckets, heads] for distances below `reach`. */
export function relativeBias(
  tape: Tape,
  weight: Weight,
  { reach, ...rule }: Buckets & { reach: number },
): RelativeBias {
  const heads = weight.shape[1]!;
  expectShape(`"${weight.name}"`, weight.shape, [rule.buckets, heads], "one row for each bucket");
  const columns = 2 * reach - 1;
  const table = tape.value([heads, columns], [weight.kind === "param" ? weight : null]);
  const bucketOf = Int32Array.from({ length: columns }, (_, c) => relativeBucket(c - (reach - 1), rule));
  if (!tape.planning) {
    const values = readElements(tape.memory, weight);
    const cells = tape.memory.f32(table.ptr, heads * columns);
    for (let h = 0; h < heads; h++) {
      for (let c = 0; c < columns; c++) cells[h * columns + c] = values[bucketOf[c]! * heads + h]!;
    }
  }
  tape.record(table, [], (dTable) => {
    if (tape.planning || !isTrained(weight)) return;
    const slopes = tape.memory.f32(dTable, heads * columns);
    const gradient = weight.gradient();
    for (let h = 0; h < heads; h++) {
      for (let c = 0; c < columns; c++) gradient[bucketOf[c]! * heads + h]! += slopes[h * columns + c]!;
    }
  });
  return { table, reach };
}

/** The bucket of a key `distance` positions after the query. The logarithm is rounded to f32 as in the published code. */
export function relativeBucket(distance: number, { buckets, maxDistance, bidirectional }: Buckets): number {
  const { fround, log, min, trunc } = Math;
  const count = bidirectional ? Math.floor(buckets / 2) : buckets;
  const first = bidirectional && distance > 0 ? count : 0;
  const size = bidirectional ? Math.abs(distance) : Math.max(-distance, 0);
  const exact = Math.floor(count / 2);
  if (size < exact) return first + size;
  const share = fround(fround(log(fround(size / exact))) / fround(log(maxDistance / exact)));
  return first + min(exact + trunc(fround(share * (count - exact))), count - 1);
}
