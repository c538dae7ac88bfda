/**
 * Rows of some tokens in place of a table's own. With the new rows R [n, D] of tokens t₁ … tₙ:
 *
 *   looked up     y[i] = R[j] where ids[i] = tⱼ        dR[j] = Σ dy[i] over those i
 *   projected     y[i, tⱼ] = x[i]·R[j]                 where the table is the output projection too: the columns z = x·Rᵀ
 *
 * Few rows and columns are moved, one by one on the host.
 */
import { ShapeError } from "../../core/errors.ts";
import { sizeOf } from "../../core/shape.ts";
import type { Value } from "../../tape/tape.ts";
import type { Param } from "../../tensor/tensor.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { rowsOf } from "../checks.ts";
import type { Ids } from "./embedding.ts";

/** y [T, D] with the rows whose id is one of `tokens` replaced by that token's row of `rows` [n, D]. */
export function replaceTokenRows(y: Value, ids: Ids, tokens: readonly number[], rows: Param): Value {
  const { tape, count } = ids;
  const width = y.shape[1]!;
  if (rows.shape[0] !== tokens.length || rows.shape[1] !== width)
    throw new ShapeError(`rows ${rows.shape.join(" x ")} for ${tokens.length} tokens of width ${width}`);
  const result = tape.value([count, width], [y, rows]);
  tape.copy(result.ptr, y.ptr, count * width * 4);
  const places = tape.planning ? [] : placesOf(tape.memory.i32(ids.ptr, count), tokens);
  for (const [i, j] of places) tape.copy(at(result.ptr, i, width), at(rows.ptr, j, width), width * 4);
  tape.record(result, [], (dy) => {
    if (rows.trainable)
      for (const [i, j] of places) tape.kernels.axpy_f32(at(rows.grad, j, width), at(dy, i, width), 1, 0, width);
    if (!y.needsGrad) return;
    for (const [i] of places) tape.fill(at(dy, i, width), width, 0);
    tape.addGradient(y, dy);
  });
  return result;
}

/** [row, index of its token] of every id that is one of `tokens`. */
function placesOf(ids: Int32Array, tokens: readonly number[]): [number, number][] {
  const index = new Map(tokens.map((token, j) => [token, j]));
  return Array.from(ids).flatMap((id, i) => (index.has(id) ? [[i, index.get(id)!] as [number, number]] : []));
}

const at = <P extends number>(ptr: P, row: number, width: number): P => (ptr + row * width * 4) as P;

/** y [T, V] with column columns[j] replaced by column j of z [T, n]. */
export function replaceColumns(y: Value, columns: readonly number[], z: Value): Value {
  const { tape } = y;
  const rows = rowsOf(y.shape);
  const [width, count] = [y.shape[1]!, columns.length];
  if (rowsOf(z.shape) !== rows || z.shape[1] !== count)
    throw new ShapeError(`${z.shape.join(" x ")} does not fit ${count} columns of ${y.shape.join(" x ")}`);
  const result = tape.value(y.shape, [y, z]);
  tape.copy(result.ptr, y.ptr, sizeOf(y.shape) * 4);
  /** Visits each replaced number of a wide matrix with its place in a narrow one. */
  const eachPair = (
    wide: Ptr,
    narrow: Ptr,
    visit: (a: Float32Array, i: number, b: Float32Array, j: number) => void,
  ) => {
    if (tape.planning) return;
    const [a, b] = [tape.memory.f32(wide, rows * width), tape.memory.f32(narrow, rows * count)];
    for (let t = 0; t < rows; t++) {
      for (let j = 0; j < count; j++) visit(a, t * width + columns[j]!, b, t * count + j);
    }
  };
  eachPair(result.ptr, z.ptr, (a, i, b, j) => {
    a[i] = b[j]!;
  });
  tape.record(result, [], (dy) => {
    const dz = z.needsGrad ? tape.gradient(z) : tape.alloc(rows * count * 4);
    eachPair(dy, dz, (a, i, b, j) => {
      b[j]! += a[i]!;
      a[i] = 0;
    });
    if (!z.needsGrad) tape.free(dz);
    if (y.needsGrad) tape.addGradient(y, dy);
  });
  return result;
}
