/**
 * Llama: pre-norm decoder with RMS norm, rotary positions, grouped-query attention and a gated feed-forward
 * (Touvron et al. 2023). Mistral, Qwen2 and Qwen3 are the same block with a few differences, stated in their files.
 */
import { type ConfigReader, MOST_LAYERS } from "../nn/config.ts";
import type { ConfigKeys } from "../nn/config-keys.ts";
import { type DefaultTargets, defineModel } from "../nn/define-model.ts";
import { activationOf } from "../nn/layers/activation-name.ts";
import { type RotaryFrequencies, rotaryFrequencies } from "../nn/layers/rotary-frequencies.ts";
import { RotaryTable } from "../nn/layers/rotary-table.ts";
import type { Weights } from "../nn/layers/weights.ts";
import type { Pass } from "../nn/pass/pass.ts";
import { type Backbone, decoderHeads } from "../nn/tasks/decoder-heads.ts";
import { outputsOf } from "../nn/tasks/label-names.ts";
import { type AttentionShape, allHeads } from "../ops/attention/attention.ts";
import { type Rotation, rotate } from "../ops/attention/rotary.ts";
import type { Activation } from "../ops/pointwise/activation.ts";
import { gatedUnit } from "../ops/pointwise/gated-unit.ts";
import type { Value } from "../tape/tape.ts";
import type { Engine } from "../wasm/engine.ts";

export interface LlamaConfig {
  readonly vocabSize: number;
  readonly hidden: number;
  readonly intermediate: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly eps: number;
  readonly tied: boolean;
  readonly outputs: number;
  readonly classifierDropout: number;
  /** The id that pads rows of a batch, null where the config names none. */
  readonly padTokenId: number | null;
  readonly rotary: RotaryFrequencies;
  readonly activation: Activation;
  /** Which projections have a bias. */
  readonly qkvBias: boolean;
  readonly outBias: boolean;
  readonly mlpBias: boolean;
  /** RMS norm of every query and key head. */
  readonly headNorms: boolean;
  /** How far back each layer sees, 0 for no limit. */
  readonly windows: readonly number[];
}

/** What a config means that leaves a key out. */
export interface LlamaDefaults {
  readonly positions: number;
  /** Heads of keys and values; null for as many as those of queries. */
  readonly kvHeads: number | null;
  /** Width of a head; null for an equal part of the model's. */
  readonly headDim: number | null;
}

/** The keys that all of the family share. */
export function llamaConfig(c: ConfigReader, defaults: LlamaDefaults): LlamaConfig {
  const hidden = c.count("hidden_size");
  const heads = c.count("num_attention_heads");
  const layers = c.count("num_hidden_layers", undefined, MOST_LAYERS);
  const kvHeads = kvHeadsOf(c, heads, defaults.kvHeads);
  const headDim =
    c.optionalCount("head_dim") ?? defaults.headDim ?? c.share(hidden, "hidden_size", heads, "num_attention_heads");
  return {
    vocabSize: c.count("vocab_size"),
    hidden,
    intermediate: c.count("intermediate_size"),
    layers,
    heads,
    kvHeads,
    headDim,
    eps: c.positive("rms_norm_eps", 1e-6),
    tied: c.bool("tie_word_embeddings", false),
    outputs: outputsOf(c),
    classifierDropout: c.probability("classifier_dropout", c.probability("hidden_dropout", 0.1)),
    padTokenId: c.optionalInt("pad_token_id"),
    rotary: rotaryFrequencies(c, headDim, c.count("max_position_embeddings", defaults.positions)),
    activation: activationOf(c, "hidden_act", "silu"),
    qkvBias: false,
    outBias: false,
    mlpBias: false,
    headNorms: false,
    windows: Array<number>(layers).fill(0),
  };
}

/** A config that leaves the key out means `missing`; null means as many as those of queries. */
function kvHeadsOf(c: ConfigReader, heads: number, missing: number | null): number {
  const key = "num_key_value_heads";
  const kvHeads = c.optionalCount(key) ?? (key in c.raw || missing === null ? heads : missing);
  c.share(heads, "num_attention_heads", kvHeads, key);
  return kvHeads;
}

/** `sliding_window`: a config that leaves the key out means 4096; null means no window. */
export function slidingWindow(c: ConfigReader): number | null {
  return "sliding_window" in c.raw ? c.optionalCount("sliding_window") : 4096;
}

/** What all of the family do not read. Attention dropout is not applied in training: docs/decisions.md. */
export const llamaKeys: ConfigKeys = {
  only: { partial_rotary_factor: [1, null] },
  unused: { "not applied in training": ["attention_dropout"] },
};

/** PEFT's tables for this family. */
export const llamaTargets: DefaultTargets = {
  linear: ["q_proj", "v_proj"],
  rescaled: { outputs: ["k_proj", "v_proj"], inputs: ["down_proj"] },
  norms: ["input_layernorm", "post_attention_layernorm", "norm"],
  attention: "self_attn",
};

export const llama = defineModel({
  modelType: "llama",
  title: "Llama (Touvron et al. 2023)",
  prefix: "model",
  targets: llamaTargets,
  keys: { ...llamaKeys, unused: { ...llamaKeys.unused, "the same numbers by another way": ["pretraining_tp"] } },
  config(c) {
    const attentionBias = c.bool("attention_bias", false);
    const mlpBias = c.bool("mlp_bias", false);
    const shared = llamaConfig(c, { positions: 2048, kvHeads: null, headDim: null });
    return { ...shared, qkvBias: attentionBias, outBias: attentionBias, mlpBias };
  },
  heads: decoderHeads({
    className: "Llama",
    path: "model",
    spanPath: "transformer",
    tokenHead: "score",
    build: buildLlama,
  }),
});

export function buildLlama(config: LlamaConfig, w: Weights, engine: Engine): Backbone {
  const tokens = w.embedding("embed_tokens", config.vocabSize, config.hidden);
  const blocks = w.blocks("layers", config.layers, (part, i) => ({ run: block(config, i, part) }));
  const norm = w.rmsNorm("norm", config.hidden, config.eps);
  const tables = engine.memory.each.map(() => new RotaryTable(engine, config.rotary));
  return {
    vocabSize: config.vocabSize,
    contextLength: config.rotary.contextLength,
    steadyLength: config.rotary.steadyLength,
    width: config.hidden,
    tokens,
    cache: { layers: config.layers, width: config.kvHeads * config.headDim },
    forward(pass) {
      const rotation = () => {
        const positions = pass.positions.ptr;
        return { positions, ...tables[engine.memory.indexOf(positions)]!.upTo(pass.length, positions) };
      };
      return norm.forward(pass.through(blocks, () => pass.embed(tokens), rotation));
    },
    dispose: () => tables.forEach((table) => void table.dispose()),
  };
}

function block(
  config: LlamaConfig,
  layer: number,
  w: Weights,
): (x: Value, pass: Pass, rotation: () => Rotation) => Value {
  const attend = selfAttention(config, layer, w);
  const feed = feedForward(config, w);
  const width = config.hidden;
  const join1 = w.blockResidual({ subLayer: "attention", layer, width });
  const join2 = w.blockResidual({ subLayer: "feed-forward", layer, width });
  return (x, pass, rotation) => {
    const attended = join1.forward(attend(x, pass, rotation), x, pass);
    return join2.forward(feed(attended, pass), attended, pass);
  };
}

function selfAttention(
  config: LlamaConfig,
  layer: number,
  w: Weights,
): (x: Value, pass: Pass, rotationOf: () => Rotation) => Value {
  const { hidden, heads, kvHeads, headDim, eps } = config;
  const part = w.at("self_attn");
  const into = (count: number) => ({ inFeatures: hidden, outFeatures: count * headDim, bias: config.qkvBias });
  const q = part.linear("q_proj", into(heads));
  const k = part.linear("k_proj", into(kvHeads));
  const v = part.linear("v_proj", into(kvHeads));
  const out = part.linear("o_proj", { inFeatures: heads * headDim, outFeatures: hidden, bias: config.outBias });
  const qNorm = config.headNorms ? part.rmsNorm("q_norm", headDim, eps) : null;
  const kNorm = config.headNorms ? part.rmsNorm("k_norm", headDim, eps) : null;
  const norm = w.rmsNorm("input_layernorm", hidden, eps);
  const shape: AttentionShape = {
    heads,
    kvHeads,
    headDim,
    scale: 1 / Math.sqrt(headDim),
    causal: true,
    window: config.windows[layer]!,
  };
  const attention = w.attention("self_attn", { shape, out, layer });
  return (x, pass, rotationOf) => {
    const rotation = rotationOf();
    const h = norm.forward(x);
    const normed = (y: Value, headNorm: typeof qNorm) => (headNorm ? headNorm.forward(y) : y);
    const queries = rotate(normed(q.forward(h, pass), qNorm), heads, rotation);
    const keys = rotate(normed(k.forward(h, pass), kNorm), kvHeads, rotation);
    return attention.forward(pass, allHeads(queries), allHeads(keys), allHeads(v.forward(h, pass)));
  };
}

function feedForward(config: LlamaConfig, w: Weights): (x: Value, pass: Pass) => Value {
  const { hidden, intermediate, activation, mlpBias: bias } = config;
  const part = w.at("mlp");
  const gate = part.linear("gate_proj", { inFeatures: hidden, outFeatures: intermediate, bias });
  const up = part.linear("up_proj", { inFeatures: hidden, outFeatures: intermediate, bias });
  const down = part.linear("down_proj", { inFeatures: intermediate, outFeatures: hidden, bias });
  const norm = w.rmsNorm("post_attention_layernorm", hidden, config.eps);
  return (x, pass) => {
    const h = norm.forward(x);
    return down.forward(gatedUnit(gate.forward(h, pass), up.forward(h, pass), activation), pass);
  };
}
