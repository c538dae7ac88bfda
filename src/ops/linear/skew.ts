import { ShapeError } from "../../core/errors.ts";
import { formatShape } from "../../core/shape.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { Param } from "../../tensor/tensor.ts";

/**
 * Skew-symmetric matrices Q = −Qᵀ, one below the other [blocks·size, size], from the rows of `upper`
 * [blocks, size·(size − 1)/2]: what stands above the diagonal, row by row.
 */
export function skewBlocks(tape: Tape, upper: Param, size: number): Value {
  const [blocks, count] = upper.shape as [number, number];
  if (count !== (size * (size - 1)) / 2) {
    throw new ShapeError(
      `"${upper.name}" ${formatShape(upper.shape)} does not hold the triangles of blocks of ${size}`,
    );
  }
  const q = tape.value([blocks * size, size], [upper]);
  tape.fill(q.ptr, blocks * size * size, 0);
  if (!tape.planning) {
    const [values, full] = [upper.values(), tape.memory.f32(q.ptr, blocks * size * size)];
    eachAbove(blocks, size, (at, above, below) => {
      full[above] = values[at]!;
      full[below] = -values[at]!;
    });
  }
  tape.record(q, [], (dq) => {
    if (tape.planning || !upper.trainable) return;
    const [gradient, full] = [upper.gradient(), tape.memory.f32(dq, blocks * size * size)];
    eachAbove(blocks, size, (at, above, below) => {
      gradient[at]! += full[above]! - full[below]!;
    });
  });
  return q;
}

/** Visits every element above a diagonal: its number in the triangles, its place, and the place of its mirror image. */
function eachAbove(blocks: number, size: number, visit: (at: number, above: number, below: number) => void): void {
  let at = 0;
  for (let block = 0; block < blocks; block++) {
    const start = block * size * size;
    for (let i = 0; i < size; i++) {
      for (let j = i + 1; j < size; j++) visit(at++, start + i * size + j, start + j * size + i);
    }
  }
}
