import { ShapeError } from "../../core/errors.ts";
import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { columnsOf } from "../checks.ts";

/** y = c_s·x on the rows of each sequence s, which are starts[s] to starts[s + 1] of x [T, D]; c [sequences, 1]. */
export function scaleSequences(x: Value, c: Value, starts: Int32Array): Value {
  const count = starts.length - 1;
  if (sizeOf(c.shape) !== count) {
    throw new ShapeError(
      `scaleSequences: ${sizeOf(c.shape)} factors for ${count} sequences, expected one per sequence`,
    );
  }
  const { tape } = x;
  const width = columnsOf(x.shape);
  const y = tape.value(x.shape, [x, c]);
  tape.copy(y.ptr, x.ptr, sizeOf(x.shape) * 4);
  const factors = () => (tape.planning ? new Float32Array(count) : tape.memory.f32(c.ptr, count).slice());
  const eachSequence = (visit: (s: number, at: number, size: number) => void) => {
    for (let s = 0; s < count; s++) visit(s, starts[s]! * width, (starts[s + 1]! - starts[s]!) * width);
  };
  const forward = factors();
  eachSequence((s, at, size) => tape.kernels.scale_f32(y.ptr + at * 4, forward[s]!, 0, size));
  tape.record(y, [c, ...(c.needsGrad ? [x] : [])], (dy) => {
    const scales = factors();
    if (x.needsGrad) {
      const dx = tape.gradient(x);
      eachSequence((s, at, size) => tape.kernels.axpy_f32(dx + at * 4, dy + at * 4, scales[s]!, 0, size));
    }
    if (!c.needsGrad) return;
    const dc = tape.gradient(c);
    if (tape.planning) return;
    const dot = (at: number, size: number) => {
      const [a, b] = [dy, x.ptr].map((ptr) => tape.memory.f32((ptr + at * 4) as Ptr, size)) as [
        Float32Array,
        Float32Array,
      ];
      return a.reduce((sum, v, i) => sum + v * b[i]!, 0);
    };
    eachSequence((s, at, size) => {
      tape.memory.f32(dc, count)[s]! += dot(at, size);
    });
  });
  return y;
}
