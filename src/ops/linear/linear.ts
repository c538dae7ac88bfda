/**
 * The one matmul: a linear layer with its low-rank deltas fused in.
 *
 *   y = x·Wᵀ + bias + Σᵢ sᵢ·tᵢ·Bᵢᵀ,   tᵢ = xᵢ·Aᵢᵀ
 *
 * and backwards, with uᵢ = dy·Bᵢ:
 *
 *   dx = dy·W + Σᵢ sᵢ·uᵢ·Aᵢ     dAᵢ = sᵢ·uᵢᵀ·xᵢ     dBᵢ = sᵢ·dyᵀ·tᵢ     dW = dyᵀ·x     dbias = Σ rows of dy
 *
 * The first delta is part of the same product (its inner dimension is K + r); any others are added to it. A frozen
 * weight without a delta keeps nothing for the backward pass.
 */
import { expectLast, sizeOf } from "../../core/shape.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import { isTrained, type Param, type Weight } from "../../tensor/tensor.ts";
import type { Ptr } from "../../wasm/memory.ts";
import { columnsOf, rowsOf } from "../checks.ts";
import { Layout, multiply } from "./multiply.ts";
import { addOuter } from "./outer-sum.ts";

/** One low-rank delta: s·(input·aᵀ)·bᵀ. */
export interface LowRank {
  /** What the delta reads: the layer's input, or a dropped-out copy of it. [T, in] */
  readonly input: Value;
  readonly a: Param; // [r, in]
  readonly b: Param; // [out, r]
  readonly scale: number;
}

/** How a weight matrix is stored: [out, in] as nn.Linear does, or [in, out] as GPT-2's Conv1D does. */
export type Stored = "out-in" | "in-out";

interface Term extends LowRank {
  readonly t: Value; // [T, r]
}

/**
 * x [T, in] → [T, out]. `weight` is a published matrix in the order that `stored` says, `bias` [out] or null. Of a convolution's
 * [out, C, p, p] the last three axes are `in`.
 */
export function linear(
  x: Value,
  weight: Weight,
  stored: Stored,
  bias: Weight | null,
  deltas: readonly LowRank[] = [],
): Value {
  return x.tape.at(weight.ptr, () => product(x, weight, stored, bias, deltas));
}

function product(x: Value, weight: Weight, stored: Stored, bias: Weight | null, deltas: readonly LowRank[]): Value {
  const [first, ...rest] = weight.shape as [number, ...number[]];
  const second = sizeOf(rest);
  const [out, width] = stored === "out-in" ? [first, second] : [second, first];
  expectLast(`input of "${weight.name}"`, x.shape, width, `the input width of "${weight.name}"`);
  const { tape } = x;
  const rows = rowsOf(x.shape);
  const terms = deltas.map((delta): Term => ({ ...delta, t: project(delta) }));
  const parts = deltas.flatMap(({ input, a, b }) => [input, a, b]);
  const y = tape.value(
    [rows, out],
    [x, weight.kind === "param" ? weight : null, bias?.kind === "param" ? bias : null, ...parts],
  );
  const [riding, ...others] = terms;
  multiply(tape, {
    c: y.ptr,
    a: x.ptr,
    b: weight,
    rows,
    columns: out,
    inner: width,
    layout: stored === "out-in" ? Layout.bTransposed : 0,
    bias: bias?.ptr,
    low: riding && lowPart(riding.t.ptr, riding.b.ptr, riding, Layout.lowTransposed),
  });
  for (const term of others)
    addLow(tape, y.ptr, rows, out, lowPart(term.t.ptr, term.b.ptr, term, Layout.lowTransposed));
  tape.record(y, [...(isTrained(weight) ? [x] : []), ...keptFor(terms)], (dy) => {
    linearBackward({ tape, x, weight, stored, bias, terms, rows, out, width }, dy);
  });
  return y;
}

/** y + Σᵢ sᵢ·tᵢ·Bᵢᵀ: low-rank terms that cannot ride in a matmul, because something happened to its result. */
export function addLowRank(y: Value, deltas: readonly LowRank[]): Value {
  if (deltas.length === 0) return y;
  const { tape } = y;
  const [rows, out] = y.shape as [number, number];
  const terms = deltas.map((delta): Term => ({ ...delta, t: project(delta) }));
  const sum = tape.value(y.shape, [y, ...deltas.flatMap(({ input, a, b }) => [input, a, b])]);
  tape.copy(sum.ptr, y.ptr, rows * out * 4);
  for (const term of terms)
    addLow(tape, sum.ptr, rows, out, lowPart(term.t.ptr, term.b.ptr, term, Layout.lowTransposed));
  tape.record(sum, keptFor(terms), (dy) => {
    for (const term of terms) {
      const width = columnsOf(term.a.shape);
      const u = backProject({ tape, rows, out, width }, term, dy);
      if (term.input.needsGrad) addLow(tape, tape.gradient(term.input), rows, width, lowPart(u, term.a.ptr, term, 0));
      tape.free(u);
    }
    if (y.needsGrad) tape.addGradient(y, dy);
  });
  return sum;
}

/** What the gradients of terms read. */
function keptFor(terms: readonly Term[]): Value[] {
  const forA = terms.filter((term) => term.a.trainable).map((term) => term.input);
  return [...forA, ...terms.filter((term) => term.b.trainable).map((term) => term.t)];
}

interface Call {
  readonly tape: Tape;
  readonly x: Value;
  readonly weight: Weight;
  readonly stored: Stored;
  readonly bias: Weight | null;
  readonly terms: readonly Term[];
  readonly rows: number;
  readonly out: number;
  readonly width: number;
}

function linearBackward(call: Call, dy: Ptr): void {
  const { tape, x, weight, stored, bias, terms, rows, out, width } = call;
  const us = terms.map((term) => backProject(call, term, dy));
  if (x.needsGrad) {
    const { ptr, fresh } = tape.gradientSlot(x);
    const rides = terms.findIndex((term) => term.input === x);
    multiply(tape, {
      c: ptr,
      a: dy,
      b: weight,
      rows,
      columns: width,
      inner: out,
      layout: (stored === "out-in" ? 0 : Layout.bTransposed) | (fresh ? 0 : Layout.accumulate),
      low: rides < 0 ? undefined : lowPart(us[rides]!, terms[rides]!.a.ptr, terms[rides]!, 0),
    });
    terms.forEach((term, i) => {
      if (i !== rides && term.input === x) addLow(tape, ptr, rows, width, lowPart(us[i]!, term.a.ptr, term, 0));
    });
  }
  terms.forEach((term, i) => {
    if (term.input === x || !term.input.needsGrad) return;
    addLow(tape, tape.gradient(term.input), rows, width, lowPart(us[i]!, term.a.ptr, term, 0));
  });
  for (const u of us) tape.free(u);
  if (isTrained(weight)) {
    const [left, right, m, n] = stored === "out-in" ? [dy, x.ptr, out, width] : [x.ptr, dy, width, out];
    multiply(tape, {
      c: weight.grad,
      a: left,
      b: { dtype: "f32", ptr: right },
      rows: m,
      columns: n,
      inner: rows,
      layout: Layout.aTransposed | Layout.accumulate,
    });
  }
  if (isTrained(bias)) tape.kernels.column_sum_f32(bias.grad, dy, rows, out, out, 0, out);
}

/** t = input·aᵀ [T, r]. */
function project({ input, a }: LowRank): Value {
  const { tape } = input;
  const [r, width] = a.shape as [number, number];
  expectLast(`input of "${a.name}"`, input.shape, width, `the input width of "${a.name}"`);
  const rows = rowsOf(input.shape);
  const t = tape.value([rows, r]);
  tape.flops += 2 * rows * width * r;
  tape.kernels.low_rank_f32(t.ptr, input.ptr, a.ptr, rows, width, r, width, width, 1, 0, rows);
  return t;
}

/** Returns u = dy·b [T, r] and adds to the gradients of a and b. */
function backProject(
  { tape, rows, out, width }: Pick<Call, "tape" | "rows" | "out" | "width">,
  { a, b, t, input, scale }: Term,
  dy: Ptr,
): Ptr {
  const r = columnsOf(b.shape);
  const u = tape.alloc(rows * r * 4);
  tape.flops += 2 * rows * r * (out + (a.trainable ? width : 0) + (b.trainable ? out : 0));
  tape.kernels.low_rank_f32(u, dy, b.ptr, rows, out, r, out, r, 0, 0, rows);
  if (a.trainable) addOuter(tape, a, { u, x: input.ptr, rows, width, r, scale, layout: 1 });
  if (b.trainable) addOuter(tape, b, { u: t.ptr, x: dy, rows, width: out, r, scale, layout: 0 });
  return u;
}

function lowPart(left: Ptr, right: Ptr, { a, b, scale }: LowRank, layout: number) {
  const r = a.shape[0]!;
  return { a: left, b: right, r, ldb: layout === Layout.lowTransposed ? r : a.shape[1]!, scale, layout, name: b.name };
}

/** c += scale·left·right: a delta that does not ride in a matmul. */
function addLow(tape: Tape, c: Ptr, rows: number, columns: number, low: ReturnType<typeof lowPart>): void {
  multiply(tape, { c, a: c, b: { dtype: "f32", ptr: c }, rows, columns, inner: 0, layout: Layout.accumulate, low });
}
