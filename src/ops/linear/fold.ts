/** Folding a low-rank delta into rows of a weight: what its matmul would have added, added to the weight itself. */
import type { Shape } from "../../core/shape.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { Ptr } from "../../wasm/memory.ts";
import type { Stored } from "./linear.ts";
import { Layout, multiply } from "./multiply.ts";
import { blockRotate } from "./product.ts";

/** Rows `start` to `end` (exclusive) of a weight in f32 at `ptr`, in the order in which it is stored. */
export interface WeightRows {
  readonly tape: Tape;
  readonly ptr: Ptr;
  readonly start: number;
  readonly end: number;
}

/** Numbers of a matrix in memory: a Param, or a Value. */
interface Matrix {
  readonly ptr: Ptr;
  readonly shape: Shape;
}

/** W += s·B·A, or its transpose where W is stored [in, out]; a is [r, in] and b [out, r]. */
export function foldLowRank(
  piece: WeightRows,
  stored: Stored,
  { a, b, scale }: { readonly a: Matrix; readonly b: Matrix; readonly scale: number },
): void {
  const { tape, ptr, start, end } = piece;
  const [r, width] = a.shape as [number, number];
  const rows = end - start;
  const straight = stored === "out-in";
  const left = straight ? ((b.ptr + start * r * 4) as Ptr) : tape.upload(transposedColumns(tape, a, start, end));
  const low = straight
    ? { a: left, b: a.ptr, r, ldb: width, scale, layout: 0 }
    : { a: left, b: b.ptr, r, ldb: r, scale, layout: Layout.lowTransposed };
  const columns = straight ? width : b.shape[0]!;
  multiply(tape, { c: ptr, a: ptr, b: { dtype: "f32", ptr }, rows, columns, inner: 0, layout: Layout.accumulate, low });
  if (!straight) tape.free(left);
}

/** Multiplies each output feature of the rows by its own factor c [out]. */
export function foldOutputScale(
  { tape, ptr, start, end }: WeightRows,
  stored: Stored,
  columns: number,
  c: Float64Array,
): void {
  if (tape.planning) return;
  const values = tape.memory.f32(ptr, (end - start) * columns);
  for (let i = start; i < end; i++) {
    const row = (i - start) * columns;
    for (let j = 0; j < columns; j++) values[row + j]! *= c[stored === "out-in" ? i : j]!;
  }
}

/** W += the change of these rows, which is computed where it is needed and given back at once. */
export function foldChange({ tape, ptr, start, end }: WeightRows, change: () => Value): void {
  const delta = tape.scope(change);
  tape.kernels.axpy_f32(ptr, delta.ptr, 1, 0, (end - start) * delta.shape[1]!);
  tape.free(delta.ptr);
}

/** Each row times the block-diagonal matrix of `blocks`: see `blockRotate`. `width` is the length of a row. */
export function foldRotation({ tape, ptr, start, end }: WeightRows, width: number, blocks: Value): void {
  const rotated = tape.scope(() => {
    const rows = tape.value([end - start, width]);
    tape.copy(rows.ptr, ptr, (end - start) * width * 4);
    return blockRotate(rows, blocks);
  });
  tape.copy(ptr, rotated.ptr, (end - start) * width * 4);
  tape.free(rotated.ptr);
}

/** Columns `start` to `end` of a [r, in], one a row. */
function transposedColumns(tape: Tape, a: Matrix, start: number, end: number): Float32Array {
  const [r, width] = a.shape as [number, number];
  const out = new Float32Array((end - start) * r);
  if (tape.planning) return out;
  const values = tape.memory.f32(a.ptr, r * width);
  for (let k = 0; k < r; k++) for (let i = start; i < end; i++) out[(i - start) * r + k] = values[k * width + i]!;
  return out;
}
