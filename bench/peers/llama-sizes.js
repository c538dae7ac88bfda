/** The Llama sizes for peers without built-in models, and the weights that all contestants use. */
import { fillAgreed } from "../agreed.js";

/** Sizes of a config with one key head per query head, and of rows of equal length. */
export function sizesOf(config, rows) {
  const { hidden_size: width, num_attention_heads: heads, num_key_value_heads: keyHeads } = config;
  const tokens = rows[0].inputIds.length;
  if (heads !== keyHeads || rows.some((row) => row.inputIds.length !== tokens))
    throw new Error("this peer only supports one key head per query head and rows of equal length");
  return { batch: rows.length, tokens, width, heads, headDim: width / heads, layers: config.num_hidden_layers };
}

/** Matrices by published name: { values, shape: [out, in] }. */
export function matricesOf(config) {
  const { hidden_size: d, intermediate_size: inner, vocab_size: vocab, num_hidden_layers: layers } = config;
  const shapes = { "model.embed_tokens": [vocab, d], lm_head: [vocab, d] };
  for (let i = 0; i < layers; i++) {
    const at = `model.layers.${i}`;
    for (const name of ["q", "k", "v", "o"]) shapes[`${at}.self_attn.${name}_proj`] = [d, d];
    for (const name of ["gate", "up"]) shapes[`${at}.mlp.${name}_proj`] = [inner, d];
    shapes[`${at}.mlp.down_proj`] = [d, inner];
  }
  return mapValues(shapes, (shape, name) => agreed(`${name}.weight`, shape));
}

/** LoRA's matrices by layer: { a: [r, in], b: [out, r] }, on queries and values as PEFT puts them by default. */
export function adaptersOf(config, r) {
  const d = config.hidden_size;
  const names = Array.from({ length: config.num_hidden_layers }, (_, i) =>
    ["q", "v"].map((name) => `model.layers.${i}.self_attn.${name}_proj`),
  ).flat();
  const zeros = { values: new Float32Array(d * r), shape: [d, r] };
  return Object.fromEntries(names.map((name) => [name, { a: agreed(`${name}.lora_A.weight`, [r, d]), b: zeros }]));
}

/** cos and sin [tokens, headDim] of the rotary positions, the second half of a head as the first. */
export function rotaryTables({ tokens, headDim }, theta = 10000) {
  const tables = [new Float32Array(tokens * headDim), new Float32Array(tokens * headDim)];
  for (let t = 0; t < tokens; t++) {
    for (let i = 0; i < headDim; i++) {
      const angle = t * theta ** (-(2 * (i % (headDim / 2))) / headDim);
      tables[0][t * headDim + i] = Math.cos(angle);
      tables[1][t * headDim + i] = Math.sin(angle);
    }
  }
  return tables;
}

function agreed(name, shape) {
  return { values: fillAgreed(new Float32Array(shape[0] * shape[1]), name, shape), shape };
}

function mapValues(object, make) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, make(value, name)]));
}
