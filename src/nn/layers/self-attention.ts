import { allHeads } from "../../ops/attention/attention.ts";
import type { Value } from "../../tape/tape.ts";
import type { Pass } from "../pass/pass.ts";
import type { Weights } from "./weights.ts";

/** Published names of the parts, below the layer: `site` is the module that holds them. */
export interface SelfAttentionNames {
  readonly site: string;
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly out: string;
}

export interface SelfAttentionShape {
  readonly width: number;
  readonly heads: number;
  readonly layer: number;
  readonly causal: boolean;
  /** Whether queries, keys and values have biases; the output projection always has one. */
  readonly bias: boolean;
}

/** Self-attention of an encoder's layer, from its input to the output projection: as many heads for keys as for queries. */
export function selfAttention(
  w: Weights,
  names: SelfAttentionNames,
  { width, heads, layer, causal, bias }: SelfAttentionShape,
): (x: Value, pass: Pass) => Value {
  const square = { inFeatures: width, outFeatures: width };
  const q = w.linear(names.query, { ...square, bias });
  const k = w.linear(names.key, { ...square, bias });
  const v = w.linear(names.value, { ...square, bias });
  const out = w.linear(names.out, { ...square, bias: true });
  const headDim = width / heads;
  const shape = { heads, kvHeads: heads, headDim, scale: 1 / Math.sqrt(headDim), causal, window: 0 };
  const attention = w.attention(names.site, { shape, out, layer });
  return (x, pass) =>
    attention.forward(pass, allHeads(q.forward(x, pass)), allHeads(k.forward(x, pass)), allHeads(v.forward(x, pass)));
}
