/** Inverses of many small matrices, on the host in f64. */
import { ShapeError } from "../../core/errors.ts";
import { formatShape } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import { Layout, multiplyBlocks } from "./multiply.ts";

/**
 * The inverse Y of each square block of x [blocks·size, size]; dX = −Yᵀ·dY·Yᵀ. Without pivoting: for blocks whose symmetric part
 * is positive definite, such as I + Q with Q = −Qᵀ.
 */
export function inverseBlocks(x: Value): Value {
  const { tape } = x;
  const [rows, size] = x.shape as [number, number];
  if (rows % size !== 0) throw new ShapeError(`${formatShape(x.shape)} does not hold square blocks of ${size}`);
  const blocks = rows / size;
  const y = tape.value(x.shape, [x]);
  if (!tape.planning) {
    const [from, to] = [x, y].map(({ ptr }) => tape.memory.f32(ptr, rows * size)) as [Float32Array, Float32Array];
    for (let start = 0; start < to.length; start += size * size) {
      to.set(inverse(from.subarray(start, start + size * size), size), start);
    }
  }
  tape.record(y, [y], (dy) => {
    const sizes = { rows: size, columns: size, inner: size, blocks };
    const half = tape.alloc(rows * size * 4);
    multiplyBlocks(tape, { c: half, a: y.ptr, b: dy, ...sizes, layout: Layout.aTransposed });
    tape.kernels.scale_f32(half, -1, 0, rows * size);
    const layout = Layout.bTransposed | Layout.accumulate;
    multiplyBlocks(tape, { c: tape.gradient(x), a: half, b: y.ptr, ...sizes, layout });
    tape.free(half);
  });
  return y;
}

/** Gauss and Jordan's elimination on one block, row by row. */
function inverse(block: Float32Array, size: number): Float64Array {
  const a = Float64Array.from(block);
  for (let k = 0; k < size; k++) {
    const pivot = 1 / a[k * size + k]!;
    a[k * size + k] = 1;
    for (let j = 0; j < size; j++) a[k * size + j]! *= pivot;
    for (let i = 0; i < size; i++) {
      if (i === k) continue;
      const factor = a[i * size + k]!;
      a[i * size + k] = 0;
      for (let j = 0; j < size; j++) a[i * size + j]! -= factor * a[k * size + j]!;
    }
  }
  return a;
}
