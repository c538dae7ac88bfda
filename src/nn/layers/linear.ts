import { type LowRank, linear, type Stored } from "../../ops/linear/linear.ts";
import type { Value } from "../../tape/tape.ts";
import type { Weight } from "../../tensor/tensor.ts";
import type { SequenceRows } from "../pass/sequences.ts";

/**
 * The layer below a delta: the matmul, or the next delta. `biased` states whether the layer's bias is part of the
 * result.
 */
export type LinearForward = (x: Value, deltas: readonly LowRank[], biased: boolean) => Value;

/**
 * An adapter's change to one linear layer. Written in src/methods/, attached by src/adapt/. Deltas of several active
 * adapters are nested, the first outermost.
 */
export interface LinearDelta {
  /**
   * Returns the adapted output. `deltas` are low-rank terms to add to it: if nothing else changes the result of
   * `below`, pass them on together with the adapter's own, so that they are computed in the matmul. `biased` states
   * whether the layer's bias is part of the result. `rows` states which sequence each row of x belongs to, null if they
   * belong to none.
   */
  forward(
    x: Value,
    deltas: readonly LowRank[],
    below: LinearForward,
    biased: boolean,
    rows: SequenceRows | null,
  ): Value;
}

/** y = x·Wᵀ + bias, plus the active deltas. */
export class Linear {
  readonly kind = "linear";
  readonly name: string;
  readonly stored: Stored;
  /** [out, in], or [in, out] when stored "in-out". Replaced while a trained copy is active. */
  weight: Weight;
  bias: Weight | null;
  deltas: readonly LinearDelta[] = [];

  constructor(name: string, weight: Weight, bias: Weight | null, stored: Stored = "out-in") {
    this.name = name;
    this.weight = weight;
    this.bias = bias;
    this.stored = stored;
  }

  get inFeatures(): number {
    return this.weight.shape[this.stored === "out-in" ? 1 : 0]!;
  }
  get outFeatures(): number {
    return this.weight.shape[this.stored === "out-in" ? 0 : 1]!;
  }

  /** Whether it is x·Wᵀ and nothing else, with W stored as [out, in]. */
  get isPlain(): boolean {
    return this.deltas.length === 0 && this.bias === null && this.stored === "out-in";
  }

  /** x [T, in] → [T, out]. `rows` states which sequence each row of x belongs to, null if they belong to none. */
  forward(x: Value, rows: SequenceRows | null): Value {
    return this.#below(0, rows)(x, [], true);
  }

  #below(depth: number, rows: SequenceRows | null): LinearForward {
    const delta = this.deltas[depth];
    if (!delta) return (x, deltas, biased) => linear(x, this.weight, this.stored, biased ? this.bias : null, deltas);
    return (x, deltas, biased) => delta.forward(x, deltas, this.#below(depth + 1, rows), biased, rows);
  }
}
