/**
 * Cross-entropy of the next token, with and without the output projection fused in.
 *
 * Fused, the vocabulary is walked in chunks with a running maximum (as in online softmax, Milakov and Gimelshein 2018),
 * so logits never exist as a whole. With l = h·Wᵀ, m the maximum so far and S = Σ exp(l − m):
 *
 *   loss = m + ln S − l[label]          dh = softmax(l)·W − W[label]
 *
 * and Σ exp(l − m)·W is gathered in the same walk, rescaled whenever m rises: each logit is computed once. Where W is
 * trained, dW = (softmax(l) − onehot)ᵀ·h needs the final S, so its chunks are computed again in the backward pass.
 * Every row has its own incoming gradient g: above, dh and the rows of softmax(l) − onehot are multiplied by it.
 */
import { expectLast, sizeOf } from "../../core/shape.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import { isTrained, type Weight } from "../../tensor/tensor.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { type Ids, pickRows } from "../embed/embedding.ts";
import { Layout, multiply, type Operand, rowsFrom } from "../linear/multiply.ts";

/** Vocabulary entries per chunk: the logits of 1,024 rows are 8 MB, and the packing of h is lost in the product. */
const CHUNK = 2048;

/** Losses [R, 1] in nats of hidden rows h [R, D] against labels (one id a row) under the head W [V, D]. */
export function headCrossEntropy(h: Value, head: Weight, labels: Ids): Value {
  return h.tape.at(head.ptr, () => lossOfHead(h, head, labels));
}

function lossOfHead(h: Value, head: Weight, labels: Ids): Value {
  const { tape } = h;
  const [rows, width] = h.shape as [number, number];
  expectLast("hidden rows", h.shape, head.shape[1]!, `the width of "${head.name}"`);
  const loss = tape.value([rows, 1], [h, head.kind === "param" ? head : null]);
  const gathers = loss.needsGrad && !isTrained(head);
  const running = new Running(tape, rows, labels);
  const sums = gathers ? tape.value([rows, width]) : null; // Σ exp(l − m)·W
  if (sums) {
    tape.keepExact(sums);
    tape.fill(sums.ptr, sizeOf(sums.shape), 0);
  }
  eachChunk(h, head, (logits, first, count, rowsOfHead) => {
    running.add(logits, first, count);
    if (!sums) return;
    tape.kernels.scale_rows_f32(sums.ptr, running.rescale, width, 0, rows);
    multiply(tape, {
      c: sums.ptr,
      a: logits,
      b: rowsOfHead,
      rows,
      columns: width,
      inner: count,
      layout: Layout.accumulate,
    });
  });
  const { lse, sum } = running.finish(loss);
  const kept = sums ? [sums, sum] : [h, lse];
  tape.record(loss, kept, (dloss) => {
    if (sums) frozenHeadBackward(h, head, labels, sums, sum, dloss);
    else trainedHeadBackward(h, head, labels, lse, dloss);
  });
  return loss;
}

/** The running maximum, sum and label logit of each row. */
class Running {
  readonly #tape: Tape;
  readonly #rows: number;
  readonly #labels: Ids;
  readonly #max: Value;
  readonly #sum: Value;
  readonly #picked: Value;
  readonly #rescale: Value;

  constructor(tape: Tape, rows: number, labels: Ids) {
    this.#tape = tape;
    this.#rows = rows;
    this.#labels = labels;
    [this.#max, this.#sum, this.#picked, this.#rescale] = Array.from({ length: 4 }, () => tape.value([rows, 1])) as [
      Value,
      Value,
      Value,
      Value,
    ];
    tape.fill(this.#max.ptr, rows, Number.NEGATIVE_INFINITY);
    tape.fill(this.#sum.ptr, rows, 0);
  }
  get rescale(): Ptr {
    return this.#rescale.ptr;
  }
  /** Takes in the logits [R, count] of ids first.., overwriting them by exp(l − max). */
  add(logits: Ptr, first: number, count: number): void {
    this.#tape.kernels.head_chunk_f32(
      logits,
      this.#max.ptr,
      this.#sum.ptr,
      this.#rescale.ptr,
      this.#picked.ptr,
      this.#labels.ptr,
      first,
      count,
      count,
      0,
      this.#rows,
    );
  }
  /** Writes the losses; returns log Σ exp(l) and Σ exp(l − max) of each row. */
  finish(loss: Value): { lse: Value; sum: Value } {
    const lse = this.#tape.value([this.#rows, 1]);
    this.#tape.kernels.head_loss_f32(loss.ptr, lse.ptr, this.#max.ptr, this.#sum.ptr, this.#picked.ptr, 0, this.#rows);
    return { lse, sum: this.#sum };
  }
}

/** Computes logits chunk by chunk: `use` gets them [R, count] with the id of the first column and the rows of W. */
function eachChunk(
  h: Value,
  head: Weight,
  use: (logits: Ptr, first: number, count: number, rowsOfHead: Operand) => void,
): void {
  const { tape } = h;
  const [rows, width] = h.shape as [number, number];
  const vocabulary = head.shape[0]!;
  const logits = tape.alloc(rows * Math.min(CHUNK, vocabulary) * 4);
  for (let first = 0; first < vocabulary; first += CHUNK) {
    const count = Math.min(CHUNK, vocabulary - first);
    const rowsOfHead = rowsFrom(head, first);
    multiply(tape, {
      c: logits,
      a: h.ptr,
      b: rowsOfHead,
      rows,
      columns: count,
      inner: width,
      layout: Layout.bTransposed,
    });
    use(logits, first, count, rowsOfHead);
  }
  tape.free(logits);
}

/** dh = g·(Σ exp(l − m)·W / S − W[label]). */
function frozenHeadBackward(h: Value, head: Weight, labels: Ids, sums: Value, sum: Value, dloss: Ptr): void {
  const { tape } = h;
  const [rows, width] = h.shape as [number, number];
  const labelRows = tape.alloc(rows * width * 4);
  pickRows(labelRows, head, labels);
  const { ptr, fresh } = tape.gradientSlot(h);
  const dh = fresh ? ptr : tape.alloc(rows * width * 4);
  tape.kernels.head_dx_f32(dh, sums.ptr, sum.ptr, labelRows, dloss, width, 0, rows);
  if (!fresh) {
    tape.addGradient(h, dh);
    tape.free(dh);
  }
  tape.free(labelRows);
}

/** Chunk by chunk: dl = g·(exp(l − lse) − onehot), dW = dlᵀ·h, dh = dl·W. */
function trainedHeadBackward(h: Value, head: Weight, labels: Ids, lse: Value, dloss: Ptr): void {
  const { tape } = h;
  const [rows, width] = h.shape as [number, number];
  const dh = h.needsGrad ? tape.gradient(h) : null;
  eachChunk(h, head, (dl, first, count, rowsOfHead) => {
    tape.kernels.softmax_dlogits_f32(dl, lse.ptr, labels.ptr, dloss, first, count, count, 0, rows);
    if (dh !== null) {
      multiply(tape, { c: dh, a: dl, b: rowsOfHead, rows, columns: width, inner: count, layout: Layout.accumulate });
    }
    if (!isTrained(head)) return;
    multiply(tape, {
      c: (head.grad + first * width * 4) as Ptr,
      a: dl,
      b: { dtype: "f32", ptr: h.ptr },
      rows: count,
      columns: width,
      inner: rows,
      layout: Layout.aTransposed | Layout.accumulate,
    });
  });
}

/** Losses [R, 1] of given logits [R, V]: for heads that carry an adapter, whose logits exist as a whole. */
export function crossEntropy(logits: Value, labels: Ids): Value {
  const { tape } = logits;
  const [rows, vocabulary] = logits.shape as [number, number];
  const size = rows * vocabulary;
  const loss = tape.value([rows, 1], [logits]);
  tape.keepExact(logits); // the gradient has exp(logit − lse)
  const copy = tape.alloc(size * 4);
  tape.copy(copy, logits.ptr, size * 4);
  const running = new Running(tape, rows, labels);
  running.add(copy, 0, vocabulary);
  tape.free(copy);
  const { lse } = running.finish(loss);
  tape.record(loss, [logits, lse], (dloss) => {
    const dl = tape.alloc(size * 4);
    tape.copy(dl, logits.ptr, size * 4);
    tape.kernels.softmax_dlogits_f32(dl, lse.ptr, labels.ptr, dloss, 0, vocabulary, vocabulary, 0, rows);
    tape.addGradient(logits, dl);
    tape.free(dl);
  });
  return loss;
}
