import { add } from "../../ops/pointwise/add.ts";
import type { Value } from "../../tape/tape.ts";
import type { SequenceRows } from "../pass/sequences.ts";
import type { LayerNorm } from "./norm.ts";

/** An adapter's change where a sub-layer's output joins the residual stream: see `Residual.forward`. */
export interface ResidualDelta {
  forward(z: Value, x: Value, site: Residual, rows: SequenceRows): Value;
}

/** Which sub-layer a residual connection closes. */
export type SubLayer = "attention" | "cross-attention" | "feed-forward";

/** A residual connection: x + z, and the layer norm over the sum in models that have one there (BERT). */
export class Residual {
  readonly kind = "residual";
  /** Published name of the module that the connection is in, such as "bert.encoder.layer.0.output". */
  readonly name: string;
  /** Whether that module is the block, which has several connections, instead of a module of the sub-layer. */
  readonly inBlock: boolean;
  readonly subLayer: SubLayer;
  readonly layer: number;
  readonly width: number;
  /** The norm over the sum; null if the norm comes before the sub-layer. */
  readonly norm: LayerNorm | null;
  delta: ResidualDelta | null = null;

  constructor(name: string, parts: ResidualParts, inBlock: boolean) {
    this.name = name;
    this.inBlock = inBlock;
    this.subLayer = parts.subLayer;
    this.layer = parts.layer;
    this.width = parts.width;
    this.norm = parts.norm ?? null;
  }

  /** `z` is the sub-layer's output after its dropout, `x` the residual stream that went in; both [T, D], with these rows. */
  forward(z: Value, x: Value, rows: SequenceRows): Value {
    return this.delta === null ? this.join(z, x) : this.delta.forward(z, x, this, rows);
  }

  /** The connection without an adapter. */
  join(z: Value, x: Value): Value {
    const sum = add(x, z);
    return this.norm === null ? sum : this.norm.forward(sum);
  }
}

/** What closes a sub-layer: its output, its input and what acts there. */
export interface ResidualParts {
  readonly subLayer: SubLayer;
  /** The index of the layer in its stack. */
  readonly layer: number;
  readonly width: number;
  readonly norm?: LayerNorm;
}
