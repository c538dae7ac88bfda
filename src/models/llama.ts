/**
 * Llama: pre-norm decoder with RMS norm, rotary positions, grouped-query attention and a SiLU-gated feed-forward
 * (Touvron et al. 2023). Mistral, Qwen2 and Qwen3 are the same block with a few differences, stated in their files.
 */
import { UnsupportedError } from "../core/errors.ts";
import type { ConfigReader } from "../nn/config.ts";
import { type DefaultTargets, defineModel } from "../nn/define-model.ts";
import { activationOf } from "../nn/layers/activation-name.ts";
import { RotaryTable, rotaryFrequencies } from "../nn/layers/rotary-table.ts";
import type { Weights } from "../nn/layers/weights.ts";
import type { Pass } from "../nn/pass/pass.ts";
import { type Backbone, decoderHeads } from "../nn/tasks/decoder-heads.ts";
import { outputsOf } from "../nn/tasks/label-names.ts";
import { type AttentionShape, allHeads } from "../ops/attention/attention.ts";
import { type Rotation, rotate } from "../ops/attention/rotary.ts";
import { gatedUnit } from "../ops/pointwise/gated-unit.ts";
import type { Value } from "../tape/tape.ts";
import type { Engine } from "../wasm/engine.ts";

export interface LlamaConfig {
  readonly vocabSize: number;
  readonly contextLength: number;
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
  readonly frequencies: Float32Array;
  /** Which projections have a bias. */
  readonly qkvBias: boolean;
  readonly outBias: boolean;
  readonly mlpBias: boolean;
  /** RMS norm of every query and key head. */
  readonly headNorms: boolean;
  /** How far back layer i sees, 0 for no limit. */
  readonly window: (layer: number) => number;
}

/** The keys that all of the family share. */
export function llamaConfig(c: ConfigReader): LlamaConfig {
  const hidden = c.int("hidden_size");
  const heads = c.int("num_attention_heads");
  const headDim = c.int("head_dim", hidden / heads);
  if (activationOf(c, "hidden_act", "silu") !== "silu") {
    throw new UnsupportedError(
      `${c.name}: "hidden_act" is "${c.raw.hidden_act}", only "silu" is supported for this model`,
    );
  }
  const attentionBias = c.bool("attention_bias", false);
  return {
    vocabSize: c.int("vocab_size"),
    contextLength: c.int("max_position_embeddings", 2048),
    hidden,
    intermediate: c.int("intermediate_size"),
    layers: c.int("num_hidden_layers"),
    heads,
    kvHeads: c.int("num_key_value_heads", heads),
    headDim,
    eps: c.float("rms_norm_eps", 1e-6),
    tied: c.bool("tie_word_embeddings", false),
    outputs: outputsOf(c),
    classifierDropout: c.float("classifier_dropout", c.float("hidden_dropout", 0.1)),
    frequencies: rotaryFrequencies(c, headDim),
    qkvBias: attentionBias,
    outBias: attentionBias,
    mlpBias: c.bool("mlp_bias", false),
    headNorms: false,
    window: () => 0,
  };
}

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
  config: llamaConfig,
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
  const table = new RotaryTable(engine, config.frequencies, config.contextLength);
  return {
    vocabSize: config.vocabSize,
    contextLength: config.contextLength,
    width: config.hidden,
    tokens,
    cache: { layers: config.layers, width: config.kvHeads * config.headDim },
    forward(pass) {
      const rotation = { positions: pass.positions.ptr, ...table.upTo(pass.length) };
      return norm.forward(pass.through(blocks, () => pass.embed(tokens), rotation));
    },
    dispose: () => table.dispose(),
  };
}

function block(config: LlamaConfig, layer: number, w: Weights): (x: Value, pass: Pass, rotation: Rotation) => Value {
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
): (x: Value, pass: Pass, rotation: Rotation) => Value {
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
    window: config.window(layer),
  };
  const attention = w.attention("self_attn", { shape, out, layer });
  return (x, pass, rotation) => {
    const h = norm.forward(x);
    const normed = (y: Value, headNorm: typeof qNorm) => (headNorm ? headNorm.forward(y) : y);
    const queries = rotate(normed(q.forward(h, pass), qNorm), heads, rotation);
    const keys = rotate(normed(k.forward(h, pass), kNorm), kvHeads, rotation);
    return attention.forward(pass, allHeads(queries), allHeads(keys), allHeads(v.forward(h, pass)));
  };
}

function feedForward(config: LlamaConfig, w: Weights): (x: Value, pass: Pass) => Value {
  const { hidden, intermediate, mlpBias: bias } = config;
  const part = w.at("mlp");
  const gate = part.linear("gate_proj", { inFeatures: hidden, outFeatures: intermediate, bias });
  const up = part.linear("up_proj", { inFeatures: hidden, outFeatures: intermediate, bias });
  const down = part.linear("down_proj", { inFeatures: intermediate, outFeatures: hidden, bias });
  const norm = w.rmsNorm("post_attention_layernorm", hidden, config.eps);
  return (x, pass) => {
    const h = norm.forward(x);
    return down.forward(gatedUnit(gate.forward(h, pass), up.forward(h, pass), "silu"), pass);
  };
}
