import { embedding, type Ids } from "../../ops/embed/embedding.ts";
import type { Value } from "../../tape/tape.ts";
import type { Weight } from "../../tensor/tensor.ts";

/** An adapter's change to one embedding: returns the adapted rows for `ids`, given the rows below. */
export interface EmbeddingDelta {
  forward(rows: Value, ids: Ids): Value;
}

/** Rows of a table [V, D] by token id, plus the active deltas. */
export class Embedding {
  readonly kind = "embedding";
  readonly name: string;
  /** Replaced while a trained copy is active. */
  weight: Weight;
  readonly bias = null;
  deltas: readonly EmbeddingDelta[] = [];

  constructor(name: string, weight: Weight) {
    this.name = name;
    this.weight = weight;
  }
  get rows(): number {
    return this.weight.shape[0]!;
  }
  get width(): number {
    return this.weight.shape[1]!;
  }

  /** ids [T] → [T, D]. */
  forward(ids: Ids): Value {
    return this.deltas.reduce((rows, delta) => delta.forward(rows, ids), embedding(ids, this.weight));
  }
}
