import { ShapeError } from "../../core/errors.ts";
import { expectShape, sizeOf } from "../../core/shape.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { Ptr } from "../../wasm/memory.ts";
import type { RelativeBias } from "./relative-bias.ts";

/**
 * Heads that are adjacent in the columns of a Value, from `column` on. Three of them may share one Value (GPT-2's
 * c_attn).
 */
export interface Heads {
  readonly value: Value;
  readonly column: number;
}

/** All columns of a value as heads. */
export function allHeads(value: Value): Heads {
  return { value, column: 0 };
}

/** Keys and values kept from earlier steps, rows of `width`; for decoding. */
export interface KeptHeads {
  readonly ptr: Ptr;
  readonly width: number;
}

/** Which rows attend to which. */
export interface Segments {
  /** i32 quadruples qStart, qEnd, kStart, kEnd, ends exclusive. */
  readonly ptr: Ptr;
  readonly count: number;
  /** Queries and keys of each segment. */
  readonly lengths: readonly (readonly [queries: number, keys: number])[];
}

/** Heads, head size and kind of an attention. */
export interface AttentionShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Factor of the scores, usually 1/√headDim. */
  readonly scale: number;
  readonly causal: boolean;
  /** A query sees keys at most this far back, itself included; 0 is no limit (Mistral's sliding window). */
  readonly window: number;
}

/**
 * softmax(scale·q·kᵀ + bias)·v inside each segment, tiled so that scores are never a whole matrix (Dao et al. 2022). Query
 * heads share key and value heads in groups (Ainslie et al. 2023). k and v may have other rows than q (cross-attention).
 * Returns [T, heads·headDim]; keeps the log-sum-exp of each row. Throws ShapeError if the bias does not cover a segment.
 */
export function attention(
  q: Heads,
  k: Heads,
  v: Heads,
  shape: AttentionShape,
  segments: Segments,
  bias: RelativeBias | null = null,
): Value {
  const { tape } = q.value;
  const { heads } = shape;
  const rows = q.value.shape[0]!;
  const y = tape.value([rows, heads * shape.headDim], [q.value, k.value, v.value, bias?.table ?? null]);
  const lse = y.needsGrad ? tape.value([rows, heads]) : null;
  if (lse) tape.keepExact(lse); // the gradient has exp(score − lse)
  const compute = (to: Ptr, sums: Ptr | 0) => {
    const [keys, values] = [k, v].map((heads) => ({ ptr: at(heads), width: heads.value.shape[1]! })) as [
      KeptHeads,
      KeptHeads,
    ];
    run({ tape, y: to, lse: sums, q, k: keys, v: values, shape, segments, bias });
  };
  compute(y.ptr, lse?.ptr ?? 0);
  tape.flops += 2 * 2 * pairProducts(shape, segments);
  const parts = [q, k, v];
  if (isCheap(shape, segments, rows)) tape.recomputable(y, [q.value, k.value, v.value], (to) => compute(to, 0));
  tape.record(
    y,
    [...new Set(parts.map((p) => p.value)), y, lse!, bias?.table ?? null].filter((x) => x !== null),
    (dy) => {
      const grads = parts.map((p) => (tape.gradient(p.value) + 4 * p.column) as Ptr) as [Ptr, Ptr, Ptr];
      const widths = parts.map((p) => p.value.shape[1]!) as [number, number, number];
      const workspace = tape.alloc(tape.kernels.attention_workspace(shape.headDim));
      const slabs = bias?.table.needsGrad ? new BiasSlabs(bias.table, segments.count) : null;
      tape.kernels.attention_f32_d(
        ...grads,
        slabs?.ptr ?? 0,
        dy,
        at(q),
        at(k),
        at(v),
        y.ptr,
        lse!.ptr,
        heads,
        shape.kvHeads,
        shape.headDim,
        ...widths,
        y.shape[1]!,
        ...widths,
        y.shape[1]!,
        segments.ptr,
        shape.scale,
        Number(shape.causal),
        shape.window,
        ...biasArguments(bias),
        workspace,
        0,
        segments.count * shape.kvHeads,
      );
      slabs?.addUp();
      tape.free(workspace);
      tape.flops += 2 * 4 * pairProducts(shape, segments); // dq, dk, dv and dp; computing the scores again is not the model's need
    },
  );
  return y;
}

/** The same against keys and values kept from earlier steps. No gradient. */
export function attendKept(
  q: Heads,
  k: KeptHeads,
  v: KeptHeads,
  shape: AttentionShape,
  segments: Segments,
  bias: RelativeBias | null = null,
): Value {
  const { tape } = q.value;
  return tape.at(k.ptr, () => {
    const y = tape.value([q.value.shape[0]!, shape.heads * shape.headDim]);
    run({ tape, y: y.ptr, lse: 0, q, k, v, shape, segments, bias });
    tape.flops += 2 * 2 * pairProducts(shape, segments);
    return y;
  });
}

/** The bias's gradient, for each segment on its own until all are added up. */
class BiasSlabs {
  readonly ptr: Ptr;
  readonly #table: Value;
  readonly #size: number;
  readonly #count: number;

  constructor(table: Value, count: number) {
    this.#table = table;
    this.#size = sizeOf(table.shape);
    this.#count = count;
    this.ptr = table.tape.alloc(count * this.#size * 4);
    table.tape.fill(this.ptr, count * this.#size, 0);
  }

  addUp(): void {
    const { tape } = this.#table;
    const size = this.#size;
    tape.kernels.column_sum_f32(tape.gradient(this.#table), this.ptr, this.#count, size, size, 0, size);
    tape.free(this.ptr);
  }
}

/** What the kernels want of a bias: the table, its column of distance 0 and its width. */
function biasArguments(bias: RelativeBias | null): [number, number, number] {
  return bias ? [bias.table.ptr, bias.reach - 1, 2 * bias.reach - 1] : [0, 0, 0];
}

function expectCovered({ table, reach }: RelativeBias, { heads }: AttentionShape, { lengths }: Segments): void {
  expectShape("the relative bias", table.shape, [heads, 2 * reach - 1], `for ${heads} heads and a reach of ${reach}`);
  const longest = lengths.reduce((most, pair) => Math.max(most, ...pair), 0);
  if (reach >= longest) return;
  throw new ShapeError(
    `the relative bias reaches ${reach} positions, but a segment has ${longest}: make it with a reach of ${longest}`,
  );
}

/** Multiply-adds of one product over all pairs of a query and a key that it sees, for all heads. */
function pairProducts({ heads, headDim, causal, window }: AttentionShape, { lengths }: Segments): number {
  let pairs = 0;
  for (const [queries, keys] of lengths) {
    for (let i = 0; i < queries; i++) {
      const seen = causal ? keys - queries + i + 1 : keys;
      pairs += window > 0 ? Math.min(seen, window) : seen;
    }
  }
  return pairs * heads * headDim;
}

const at = (heads: Heads): Ptr => (heads.value.ptr + 4 * heads.column) as Ptr;

/**
 * Whether computing the result again takes less than 3 % of a step: a query sees keys for less than about a quarter of the width,
 * of which a block's other products have twelve (and a step has three of each).
 */
function isCheap(shape: AttentionShape, segments: Segments, rows: number): boolean {
  const width = shape.heads * shape.headDim;
  return 4 * pairProducts(shape, segments) <= rows * width * width;
}

interface Run {
  readonly tape: Tape;
  readonly y: Ptr;
  readonly lse: Ptr | 0;
  readonly q: Heads;
  readonly k: KeptHeads;
  readonly v: KeptHeads;
  readonly shape: AttentionShape;
  readonly segments: Segments;
  readonly bias: RelativeBias | null;
}

function run({ tape, y, lse, q, k, v, shape, segments, bias }: Run): void {
  const { heads, kvHeads, headDim, scale, causal, window } = shape;
  if (bias) expectCovered(bias, shape, segments);
  const workspace = tape.alloc(tape.kernels.attention_workspace(headDim));
  tape.kernels.attention_f32(
    y,
    lse,
    at(q),
    k.ptr,
    v.ptr,
    heads,
    kvHeads,
    headDim,
    q.value.shape[1]!,
    k.width,
    v.width,
    heads * headDim,
    segments.ptr,
    scale,
    Number(causal),
    window,
    ...biasArguments(bias),
    workspace,
    0,
    segments.count * kvHeads,
  );
  tape.free(workspace);
}
