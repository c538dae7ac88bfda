import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { expectMatrix } from "../checks.ts";

/**
 * y = x − ln Σ exp(x) over each row of x [T, N]; dx = dy − exp(y)·Σ dy. On the host in f64: for heads that score a few classes. The
 * loss of a whole vocabulary is `crossEntropy`.
 */
export function logSoftmax(x: Value): Value {
  const { tape } = x;
  const [, columns] = expectMatrix("logSoftmax", x.shape);
  const size = sizeOf(x.shape);
  const y = tape.value(x.shape, [x]);
  if (!tape.planning) {
    const [from, to] = [tape.memory.f32(x.ptr, size), tape.memory.f32(y.ptr, size)];
    for (let start = 0; start < size; start += columns) {
      const row = from.subarray(start, start + columns);
      const largest = row.reduce((most, v) => Math.max(most, v), Number.NEGATIVE_INFINITY);
      let sum = 0;
      for (const v of row) sum += Math.exp(v - largest);
      const shift = largest + Math.log(sum);
      for (let i = 0; i < columns; i++) to[start + i] = row[i]! - shift;
    }
  }
  tape.record(y, [y], (dy) => {
    const dx = tape.gradient(x);
    if (tape.planning) return;
    const [gradient, logs, slopes] = [dx, y.ptr, dy].map((ptr) => tape.memory.f32(ptr, size)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (let start = 0; start < size; start += columns) {
      let sum = 0;
      for (let i = start; i < start + columns; i++) sum += slopes[i]!;
      for (let i = start; i < start + columns; i++) gradient[i]! += slopes[i]! - Math.exp(logs[i]!) * sum;
    }
  });
  return y;
}
