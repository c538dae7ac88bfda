import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { expectIndices, expectMatrix, expectOneEach } from "../checks.ts";

/**
 * One element of each row: y[i] = x[i, columns[i]], x [T, N] → [T, 1]. As torch.gather along the last axis. Throws ShapeError for a
 * column that there is not.
 */
export function gather(x: Value, columns: ArrayLike<number>): Value {
  const { tape } = x;
  const [rows, width] = expectMatrix("gather", x.shape);
  expectOneEach("gather: columns", columns, rows, "rows");
  expectIndices("gather: columns", columns, width);
  const chosen = Int32Array.from(columns);
  const y = tape.value([rows, 1], [x]);
  if (!tape.planning) {
    const [from, to] = [tape.memory.f32(x.ptr, sizeOf(x.shape)), tape.memory.f32(y.ptr, rows)];
    for (let i = 0; i < rows; i++) to[i] = from[i * width + chosen[i]!]!;
  }
  tape.record(y, [], (dy) => {
    const dx = tape.gradient(x);
    if (tape.planning) return;
    const [gradient, slopes] = [tape.memory.f32(dx, sizeOf(x.shape)), tape.memory.f32(dy, rows)];
    for (let i = 0; i < rows; i++) gradient[i * width + chosen[i]!]! += slopes[i]!;
  });
  return y;
}
