/**
 * Norms of an adapted weight by output feature, and what DoRA makes of them.
 *
 *   n = ‖W + Σⱼ sⱼ·Bⱼ·Aⱼ‖ over the inputs,      c = m / n   with n held constant (Liu et al. 2024, section 4.3)
 *
 * With all Aⱼ stacked into A and each row of the sⱼ·Bⱼ joined into u:  n² = ‖w‖² + 2·u·(A·wᵀ) + u·(A·Aᵀ)·uᵀ. The products are
 * skinny and run in the matmul, on W as it is stored; sums are in double precision; the adapted weight never exists.
 */
import type { Tape, Value } from "../../tape/tape.ts";
import { readElements } from "../../tensor/elements.ts";
import type { Param, Weight } from "../../tensor/tensor.ts";
import type { Memory, Ptr } from "../../wasm/memory.ts";
import type { Stored } from "./linear.ts";
import { Layout, multiply } from "./multiply.ts";

/** s·b·a, with a [r, in] and b [out, r]. */
export interface LowRankPair {
  readonly a: Param;
  readonly b: Param;
  readonly scale: number;
}

/** Norms of one weight [out, in] (or [in, out], as `stored` says) with low-rank changes. Keeps ‖w‖² between calls. */
export class WeightNorms {
  readonly #weight: () => Weight;
  readonly #stored: Stored;
  readonly #pairs: readonly LowRankPair[];
  #squares: Float64Array | null = null;

  /** `weight` is queried at every call because layers may swap theirs. */
  constructor(weight: () => Weight, stored: Stored, pairs: readonly LowRankPair[]) {
    this.#weight = weight;
    this.#stored = stored;
    this.#pairs = pairs;
  }

  /** Must be called when the numbers in the weight have changed. */
  forget(): void {
    this.#squares = null;
  }

  /** n [out]. Zeros in a plan. */
  compute(tape: Tape): Float64Array {
    const weight = this.#weight();
    const [first, second] = weight.shape as [number, number];
    const [out, width] = this.#stored === "out-in" ? [first, second] : [second, first];
    const rank = this.#pairs.reduce((sum, { a }) => sum + a.shape[0]!, 0);
    const stack = this.#stackA(tape, rank, width);
    const cross = tape.alloc(rank * out * 4); // A·Wᵀ [rank, out]
    const gram = tape.alloc(rank * rank * 4); // A·Aᵀ
    const layout = this.#stored === "out-in" ? Layout.bTransposed : 0;
    multiply(tape, { c: cross, a: stack, b: weight, rows: rank, columns: out, inner: width, layout });
    const right = { dtype: "f32", ptr: stack } as const;
    multiply(tape, {
      c: gram,
      a: stack,
      b: right,
      rows: rank,
      columns: rank,
      inner: width,
      layout: Layout.bTransposed,
    });
    const norms = tape.planning ? new Float64Array(out) : this.#sum(tape.memory, weight, cross, gram, rank, out);
    for (const ptr of [stack, cross, gram]) tape.free(ptr);
    return norms;
  }

  #stackA(tape: Tape, rank: number, width: number): Ptr {
    const stack = tape.alloc(rank * width * 4);
    let row = 0;
    for (const { a } of this.#pairs) {
      tape.copy((stack + row * width * 4) as Ptr, a.ptr, a.size * 4);
      row += a.shape[0]!;
    }
    return stack;
  }

  #sum(memory: Memory, weight: Weight, crossPtr: Ptr, gramPtr: Ptr, rank: number, out: number): Float64Array {
    this.#squares ??= squaredNorms(memory, weight, this.#stored);
    const squares = this.#squares;
    const cross = memory.f32(crossPtr, rank * out);
    const gram = memory.f32(gramPtr, rank * rank);
    const parts = this.#pairs.map(({ b, scale }) => ({ values: b.values(), r: b.shape[1]!, scale }));
    const u = new Float64Array(rank);
    return Float64Array.from({ length: out }, (_, i) => {
      let at = 0;
      for (const { values, r, scale } of parts) for (let k = 0; k < r; k++) u[at++] = scale * values[i * r + k]!;
      let square = squares[i]!;
      for (let k = 0; k < rank; k++) {
        let along = 0;
        for (let l = 0; l < rank; l++) along += gram[k * rank + l]! * u[l]!;
        square += u[k]! * (2 * cross[k * out + i]! + along);
      }
      return Math.sqrt(Math.max(0, square));
    });
  }
}

/** Elements widened at a time. */
const PIECE = 1 << 16;

/** ‖w‖² of each output feature. */
function squaredNorms(memory: Memory, weight: Weight, stored: Stored): Float64Array {
  const [first, second] = weight.shape as [number, number];
  const sums = new Float64Array(stored === "out-in" ? first : second);
  const rows = Math.max(1, Math.floor(PIECE / second));
  for (let start = 0; start < first; start += rows) {
    const count = Math.min(rows, first - start);
    const values = readElements(memory, weight, start * second, (start + count) * second);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < second; j++) {
        const value = values[i * second + j]!;
        sums[stored === "out-in" ? start + i : j]! += value * value;
      }
    }
  }
  return sums;
}

/** c = m / n [1, out] as a Value through which the gradient reaches m [out], and only m. */
export function magnitudeOverNorm(tape: Tape, magnitude: Param, norms: Float64Array): Value {
  const columns = norms.length;
  const c = tape.value([1, columns], [magnitude]);
  if (!tape.planning) {
    const m = magnitude.values();
    const values = tape.memory.f32(c.ptr, columns);
    for (let i = 0; i < columns; i++) values[i] = m[i]! / norms[i]!;
  }
  tape.record(c, [], (dc) => {
    if (tape.planning || !magnitude.trainable) return;
    const gradient = magnitude.gradient();
    const values = tape.memory.f32(dc, columns);
    for (let i = 0; i < columns; i++) gradient[i]! += values[i]! / norms[i]!;
  });
  return c;
}

/** One number for every column [1, columns], without a gradient. */
export function constantRow(tape: Tape, columns: number, value: number): Value {
  const row = tape.value([1, columns]);
  tape.fill(row.ptr, columns, value);
  return row;
}
