/**
 * The part of a method that adds x·ΔWᵀ to a layer's output, where ΔW is not a single low-rank pair and does not depend
 * on W.
 */

import { replaceRows, sliceRows } from "../../ops/layout/rows.ts";
import { foldChange } from "../../ops/linear/fold.ts";
import { add } from "../../ops/pointwise/add.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { LinearPart } from "./define-method.ts";

/** ΔW of one layer, scaled. */
export interface Change {
  /** x·ΔWᵀ: x [T, in] → [T, out]. In training with the method's dropouts. */
  apply(x: Value): Value;
  /** Rows `start` to `end` of ΔW in the layer's storage order. */
  rows(tape: Tape, start: number, end: number): Value;
}

export function additivePart(change: Change): LinearPart {
  return {
    forward: (x, deltas, below, biased) => add(below(x, deltas, biased), change.apply(x)),
    forwardRows(x, rows, below) {
      const y = below(x);
      return replaceRows(y, rows, add(sliceRows(y, rows), change.apply(sliceRows(x, rows))));
    },
    fold: () => (piece) => foldChange(piece, () => change.rows(piece.tape, piece.start, piece.end)),
  };
}
