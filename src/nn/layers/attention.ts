import type { AttentionShape, Heads } from "../../ops/attention/attention.ts";
import type { RelativeBias } from "../../ops/attention/relative-bias.ts";
import type { Value } from "../../tape/tape.ts";
import type { Pass } from "../pass/pass.ts";
import type { Linear } from "./linear.ts";

/** An adapter's change to one attention: returns the adapted output [T, D], given the output below and the queries. */
export interface AttentionDelta {
  forward(y: Value, q: Heads, pass: Pass): Value;
}

/** What an attention layer is made of. */
export interface AttentionParts {
  readonly shape: AttentionShape;
  /** The projection of the attended values. */
  readonly out: Linear;
  /** The index of the layer in its stack, for the key-value cache and for prefixes. */
  readonly layer: number;
}

/** Self-attention of one layer, from heads to output projection, plus the active deltas. */
export class Attention {
  readonly kind = "attention";
  /** Published name of the module that holds the projections, such as "model.layers.0.self_attn". */
  readonly name: string;
  readonly shape: AttentionShape;
  readonly out: Linear;
  readonly layer: number;
  deltas: readonly AttentionDelta[] = [];

  constructor(name: string, { shape, out, layer }: AttentionParts) {
    this.name = name;
    this.shape = shape;
    this.out = out;
    this.layer = layer;
  }

  forward(pass: Pass, q: Heads, k: Heads, v: Heads, bias: RelativeBias | null = null): Value {
    const y = this.out.forward(pass.attend(this.layer, q, k, v, this.shape, bias), pass);
    return this.deltas.reduce((below, delta) => delta.forward(below, q, pass), y);
  }
}
