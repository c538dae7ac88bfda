import type { Value } from "../tape/tape.ts";
import type { Ptr } from "../wasm/memory.ts";

/** Heads that lie side by side in the columns of a Value, from `column` on. Three of them may share one Value (GPT-2's c_attn). */
export interface Heads {
  readonly value: Value;
  readonly column: number;
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
 * softmax(scale·q·kᵀ)·v inside each segment, tiled so that scores are never a whole matrix (Dao et al. 2022). Query heads
 * share key and value heads in groups (Ainslie et al. 2023). Returns [T, heads·headDim]; keeps the log-sum-exp of each row.
 */
export function attention(q: Heads, k: Heads, v: Heads, shape: AttentionShape, segments: Segments): Value {
  const { tape } = q.value;
  const { heads } = shape;
  const rows = q.value.shape[0]!;
  const y = tape.value([rows, heads * shape.headDim], [q.value, k.value, v.value]);
  const lse = y.needsGrad ? tape.value([rows, heads]) : null;
  run(
    y,
    lse,
    at(q),
    { ptr: at(k), width: k.value.shape[1]! },
    { ptr: at(v), width: v.value.shape[1]! },
    q,
    shape,
    segments,
  );
  const parts = [q, k, v];
  tape.record(
    y,
    [...new Set(parts.map((p) => p.value)), y, lse!].filter((x) => x !== null),
    (dy) => {
      const grads = parts.map((p) => (tape.gradient(p.value) + 4 * p.column) as Ptr) as [Ptr, Ptr, Ptr];
      const widths = parts.map((p) => p.value.shape[1]!) as [number, number, number];
      const workspace = tape.alloc(tape.kernels.attention_workspace(shape.headDim));
      tape.kernels.attention_f32_d(
        ...grads,
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
        workspace,
        0,
        segments.count * shape.kvHeads,
      );
      tape.free(workspace);
      tape.flops += 2 * 4 * pairProducts(shape, segments); // dq, dk, dv and dp; computing the scores again is not the model's need
    },
  );
  return y;
}

/** The same against keys and values kept from earlier steps. No gradient. */
export function attendKept(q: Heads, k: KeptHeads, v: KeptHeads, shape: AttentionShape, segments: Segments): Value {
  const y = q.value.tape.value([q.value.shape[0]!, shape.heads * shape.headDim]);
  run(y, null, at(q), k, v, q, shape, segments);
  return y;
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

function run(
  y: Value,
  lse: Value | null,
  qPtr: Ptr,
  k: KeptHeads,
  v: KeptHeads,
  q: Heads,
  shape: AttentionShape,
  segments: Segments,
): void {
  const { tape } = y;
  const { heads, kvHeads, headDim, scale, causal, window } = shape;
  const workspace = tape.alloc(tape.kernels.attention_workspace(headDim));
  tape.kernels.attention_f32(
    y.ptr,
    lse?.ptr ?? 0,
    qPtr,
    k.ptr,
    v.ptr,
    heads,
    kvHeads,
    headDim,
    q.value.shape[1]!,
    k.width,
    v.width,
    y.shape[1]!,
    segments.ptr,
    scale,
    Number(causal),
    window,
    workspace,
    0,
    segments.count * kvHeads,
  );
  tape.free(workspace);
  tape.flops += 2 * 2 * pairProducts(shape, segments);
}
