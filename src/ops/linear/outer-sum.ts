/**
 * A gradient of a low-rank factor, which is a sum over the rows of a batch: da += scale·uᵀ·x.
 *
 * The kernel adds up runs of LOW_RANK_ROWS rows. Where a batch runs in parts (src/train/parts.ts), the rows at the end of a part
 * that make no whole run wait for the first rows of the next one, so that the runs, and the bits, are those of the batch as a whole.
 */
import type { Tape } from "../../tape/tape.ts";
import type { Param } from "../../tensor/tensor.ts";
import { LOW_RANK_ROWS } from "../../wasm/generated/constants.ts";
import type { Ptr } from "../../wasm/memory.ts";

/** u [rows, r], x [rows, width]; layout as in assembly/linear/low-rank.ts. */
export interface OuterSum {
  readonly u: Ptr;
  readonly x: Ptr;
  readonly rows: number;
  readonly width: number;
  readonly r: number;
  readonly scale: number;
  readonly layout: 0 | 1;
}

/** Adds scale·uᵀ·x to the gradient of `param`. */
export function addOuter(tape: Tape, param: Param, { u, x, rows, width, r, scale, layout }: OuterSum): void {
  const add = (from: Ptr, by: Ptr, count: number) => {
    if (count > 0)
      tape.kernels.low_rank_f32_da(param.grad, from, by, count, width, r, scale, layout, r, width, 0, width);
  };
  const row = (ptr: Ptr, at: number, columns: number) => (ptr + at * columns * 4) as Ptr;
  const waiting = tape.waitingRows(param);
  const last = tape.part?.last ?? true;
  const join = (first: number, count: number) => {
    if (count === 0) return;
    if (waiting.u === null || waiting.x === null) {
      waiting.u = tape.alloc(LOW_RANK_ROWS * r * 4);
      waiting.x = tape.alloc(LOW_RANK_ROWS * width * 4);
    }
    tape.copy(row(waiting.u, waiting.count, r), row(u, first, r), count * r * 4);
    tape.copy(row(waiting.x, waiting.count, width), row(x, first, width), count * width * 4);
    waiting.count += count;
  };
  const joined = waiting.count === 0 ? 0 : Math.min(rows, LOW_RANK_ROWS - waiting.count);
  join(0, joined);
  if (waiting.count === LOW_RANK_ROWS || (last && joined > 0)) {
    add(waiting.u!, waiting.x!, waiting.count);
    waiting.count = 0;
  }
  const rest = rows - joined;
  const left = last ? 0 : rest % LOW_RANK_ROWS;
  add(row(u, joined, r), row(x, joined, width), rest - left);
  join(rows - left, left);
}
