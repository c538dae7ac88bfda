import type { Value } from "../../tape/tape.ts";
import { expectMatrix } from "../checks.ts";

/** p = exp(x) / Σ exp(x) over each row of x [T, N]. Computed on the host in f64: for a few columns. */
export function softmax(x: Value): Value {
  const { tape } = x;
  const [rows, columns] = expectMatrix("softmax", x.shape);
  const size = rows * columns;
  const p = tape.value(x.shape, [x]);
  if (!tape.planning) softmaxRows(tape.memory.f32(p.ptr, size), tape.memory.f32(x.ptr, size), columns);
  tape.record(p, [p], (dp) => {
    const dx = tape.gradient(x);
    if (tape.planning) return;
    const [gradient, shares, slopes] = [dx, p.ptr, dp].map((ptr) => tape.memory.f32(ptr, size)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    for (let start = 0; start < size; start += columns) {
      let mean = 0;
      for (let i = start; i < start + columns; i++) mean += shares[i]! * slopes[i]!;
      for (let i = start; i < start + columns; i++) gradient[i]! += shares[i]! * (slopes[i]! - mean);
    }
  });
  return p;
}

function softmaxRows(to: Float32Array, from: Float32Array, columns: number): void {
  for (let start = 0; start < from.length; start += columns) {
    const row = from.subarray(start, start + columns);
    const largest = row.reduce((most, x) => Math.max(most, x), Number.NEGATIVE_INFINITY);
    let sum = 0;
    for (const x of row) sum += Math.exp(x - largest);
    for (let i = 0; i < columns; i++) to[start + i] = Math.exp(row[i]! - largest) / sum;
  }
}
