/** Rows of a table by id, and the low-rank delta of such a table. */
import type { Ids, Value } from "../../tape/tape.ts";
import { isTrained, type Param, type Weight } from "../../tensor/tensor.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { Layout, multiply } from "../linear/multiply.ts";
import { addOuter } from "../linear/outer-sum.ts";

export type { Ids };

/** y[i] = table[ids[i]]: table [V, D], or [1, V, D], → [T, D]. The ids are already checked against the vocabulary. */
export function embedding(ids: Ids, table: Weight): Value {
  return ids.tape.at(table.ptr, () => lookUp(ids, table));
}

function lookUp(ids: Ids, table: Weight): Value {
  const { tape, count } = ids;
  const width = table.shape.at(-1)!;
  const y = tape.value([count, width], [table.kind === "param" ? table : null]);
  pickRows(y.ptr, table, ids);
  if (isTrained(table)) {
    tape.record(y, [], (dy) => tape.kernels.embedding_f32_dtable(table.grad, dy, ids.ptr, count, width, 0, width));
  }
  return y;
}

/** to[i] = table[ids[i]], widened to f32. */
export function pickRows(to: Ptr, table: Weight, { tape, ptr, count }: Ids): void {
  const width = table.shape.at(-1)!;
  const { kernels } = tape;
  if (table.dtype === "nf4") kernels.embedding_nf4(to, table.ptr, ptr, width, 0, count);
  else if (table.dtype === "int8") kernels.embedding_int8(to, table.ptr, table.scales, ptr, width, width, 0, count);
  else kernels[`embedding_${table.dtype}`](to, table.ptr, ptr, width, width, 0, count);
}

/**
 * y + s·aᵀ[ids]·bᵀ: LoRA on an embedding, in place of y [T, D]. a is [r, V] and b [D, r], as PEFT stores them.
 */
export function addEmbeddingDelta(y: Value, ids: Ids, a: Param, b: Param, scale: number): Value {
  return y.tape.at(a.ptr, () => withDelta(y, ids, a, b, scale));
}

function withDelta(y: Value, ids: Ids, a: Param, b: Param, scale: number): Value {
  const { tape, count } = ids;
  const [r, vocabulary] = a.shape as [number, number];
  const width = b.shape[0]!;
  const sum = tape.value([count, width], [y, a, b]);
  tape.copy(sum.ptr, y.ptr, count * width * 4);
  const t = tape.value([count, r]);
  tape.kernels.embedding_columns_f32(t.ptr, a.ptr, ids.ptr, r, vocabulary, 0, count);
  multiply(tape, {
    c: sum.ptr,
    a: sum.ptr,
    b: { dtype: "f32", ptr: sum.ptr },
    rows: count,
    columns: width,
    inner: 0,
    layout: Layout.accumulate,
    low: { a: t.ptr, b: b.ptr, r, ldb: r, scale, layout: Layout.lowTransposed },
  });
  tape.record(sum, b.trainable ? [t] : [], (dy) => {
    if (y.needsGrad) tape.addGradient(y, dy);
    if (b.trainable) addOuter(tape, b, { u: t.ptr, x: dy, rows: count, width, r, scale, layout: 0 });
    if (!a.trainable) return;
    const dt = tape.alloc(count * r * 4);
    tape.kernels.low_rank_f32(dt, dy, b.ptr, count, width, r, width, r, 0, 0, count);
    tape.kernels.scale_f32(dt, scale, 0, count * r);
    tape.kernels.embedding_columns_f32_da(a.grad, dt, ids.ptr, count, r, vocabulary, 0, r);
    tape.free(dt);
  });
  return sum;
}

/** y[i] = x[rows[i]]: picks rows of an activation, for instance the labeled ones before the output projection. */
export function gatherRows(x: Value, rows: Ids): Value {
  const { tape, count } = rows;
  const width = x.shape[1]!;
  const y = tape.value([count, width], [x]);
  tape.kernels.embedding_f32(y.ptr, x.ptr, rows.ptr, width, width, 0, count);
  tape.record(y, [], (dy) => tape.kernels.embedding_f32_dtable(tape.gradient(x), dy, rows.ptr, count, width, 0, width));
  return y;
}
