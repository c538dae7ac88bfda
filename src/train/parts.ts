/**
 * A large batch runs in parts, forward and backward, one after the other in the same memory. Each part is some of the batch's
 * sequences. The result has the bits of the batch as a whole: rows do not depend on each other across sequences, losses and
 * gradients are summed up in the same order (src/ops/linear/outer-sum.ts), and dropout knows the place of a part in its batch.
 * Where one of this does not hold, the batch is not cut: a dry run finds out, which is also how its memory is known.
 */
import type { PartOfBatch } from "../tape/tape.ts";
import { type MicroBatch, type Objective, tokensOf } from "./objective.ts";

/** A batch, or a part of one, and where it stands. */
export interface BatchPart {
  readonly batch: MicroBatch;
  readonly part: PartOfBatch;
}

/** Working memory, without workspaces, that parts are cut to, if their rows are not too few. */
export const SMALL_STEP = 64e6;

/** Fewer rows in a product cost time: packing a weight takes about as long as multiplying ten rows. */
const FEWEST_ROWS = 384;

/** Products of so few rows take another path (FEW_ROWS of src/ops/linear/multiply.ts), whose bits may differ. */
const OTHER_PATH = 4;

/** The batch as a whole. */
export function wholeBatch(batch: MicroBatch): BatchPart {
  return { batch, part: { rows: batch.sequences.ids.length, before: 0, last: true } };
}

/** How many rows the parts of a batch should have that takes `bytes` as a whole; 0 leaves it whole. */
export function rowsOfParts({ tokens }: MicroBatch, bytes: number): number {
  return bytes > SMALL_STEP ? Math.max(FEWEST_ROWS, Math.floor((tokens * SMALL_STEP) / bytes)) : 0;
}

/** The parts of up to `rows` rows, or one sequence, that a batch could be cut into: at least two, or null. */
export function partsOf(objective: Objective, { sequences }: MicroBatch, rows = FEWEST_ROWS): BatchPart[] | null {
  const { ids, starts, labels, examples } = sequences;
  if (!objective.isPlain || !(labels instanceof Int32Array) || ids.length <= FEWEST_ROWS) return null;
  const longest = Math.max(...examples.map(tokensOf));
  if (longest > (objective.model.steadyLength ?? 0)) return null;
  const most = Math.max(longest, rows);
  const parts: BatchPart[] = [];
  for (let first = 0, end = 1; first < examples.length; first = end++) {
    const before = starts[first]!;
    while (end < examples.length && starts[end + 1]! - before <= most) end++;
    const batch = objective.batch(examples.slice(first, end), { seed: [0, 0], training: true });
    const own = starts[end]! - before;
    if (Math.min(batch.labels, own) <= OTHER_PATH) return null;
    parts.push({ batch, part: { rows: own, before, last: end === examples.length } });
  }
  return parts.length > 1 ? parts : null;
}
