import { ShapeError } from "../../core/errors.ts";
import type { Value } from "../../tape/tape.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { expectMatrix } from "../checks.ts";

/**
 * The sum of the rows of each segment of x [T, N]: segment s is rows starts[s] to starts[s + 1]. [segments, N], zeros for a
 * segment without rows. Throws ShapeError unless the starts ascend from 0 to T.
 */
export function segmentSum(x: Value, starts: ArrayLike<number>): Value {
  const { tape } = x;
  const [rows, width] = expectMatrix("segmentSum", x.shape);
  const bounds = Array.from(starts);
  const ascend = bounds.every((start, s) => s === 0 || start >= bounds[s - 1]!);
  if (bounds[0] !== 0 || bounds.at(-1) !== rows || !ascend) {
    throw new ShapeError(`segmentSum: starts [${bounds.join(", ")}] must ascend from 0 to ${rows}, the number of rows`);
  }
  const y = tape.value([bounds.length - 1, width], [x]);
  tape.fill(y.ptr, (bounds.length - 1) * width, 0);
  const eachSegment = (whole: Ptr, sums: Ptr, visit: (rows: Ptr, count: number, sum: Ptr) => void) => {
    for (let s = 0; s + 1 < bounds.length; s++) {
      const [start, end] = [bounds[s]!, bounds[s + 1]!];
      visit((whole + start * width * 4) as Ptr, end - start, (sums + s * width * 4) as Ptr);
    }
  };
  eachSegment(x.ptr, y.ptr, (from, count, to) => {
    tape.kernels.column_sum_f32(to, from, count, width, width, 0, width);
  });
  tape.record(y, [], (dy) => {
    eachSegment(tape.gradient(x), dy, (to, count, from) => tape.kernels.add_columns_f32(to, from, width, 0, count));
  });
  return y;
}
