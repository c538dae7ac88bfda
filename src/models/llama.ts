/**
 * Llama: pre-norm decoder with RMS norm, rotary positions, grouped-query attention and a SiLU-gated feed-forward
 * (Touvron et al. 2023). Mistral, Qwen2 and Qwen3 are the same block with a few differences, stated in their files.
 */
import { UnsupportedError } from "../core/errors.ts";
import type { ConfigReader } from "../nn/config.ts";
import { type Decoder, defineModel } from "../nn/define-model.ts";
import type { Pass } from "../nn/pass.ts";
import { RotaryTable, rotaryFrequencies } from "../nn/rotary-table.ts";
import type { Weights } from "../nn/weights.ts";
import { add } from "../ops/add.ts";
import type { AttentionShape } from "../ops/attention.ts";
import { type Rotation, rotate } from "../ops/rotary.ts";
import { siluGate } from "../ops/silu-gate.ts";
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
  const act = c.string("hidden_act", "silu");
  if (act !== "silu" && act !== "swish") {
    throw new UnsupportedError(`${c.name}: "hidden_act" is "${act}", this architecture is known with "silu"`);
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
    frequencies: rotaryFrequencies(c, headDim),
    qkvBias: attentionBias,
    outBias: attentionBias,
    mlpBias: c.bool("mlp_bias", false),
    headNorms: false,
    window: () => 0,
  };
}

/** The two projections that PEFT adapts in this family when none are named. */
export const queryAndValue = ["q_proj", "v_proj"] as const;

export const llama = defineModel({
  modelType: "llama",
  architecture: "LlamaForCausalLM",
  prefix: "model",
  adaptByDefault: queryAndValue,
  config: llamaConfig,
  build: buildLlama,
});

export function buildLlama(config: LlamaConfig, w: Weights, engine: Engine): Decoder {
  const tokens = w.embedding("model.embed_tokens", config.vocabSize, config.hidden);
  const blocks = Array.from({ length: config.layers }, (_, i) => block(config, i, w.at(`model.layers.${i}`)));
  const norm = w.rmsNorm("model.norm", config.hidden, config.eps);
  const shape = { inFeatures: config.hidden, outFeatures: config.vocabSize };
  const head = config.tied ? w.tiedHead("lm_head", tokens) : w.linear("lm_head", shape);
  const table = new RotaryTable(engine, config.frequencies, config.contextLength);
  return {
    vocabSize: config.vocabSize,
    contextLength: config.contextLength,
    cache: { layers: config.layers, width: config.kvHeads * config.headDim },
    head,
    forward(pass) {
      const rotation = { positions: pass.positions.ptr, ...table.upTo(pass.length) };
      const last = blocks.reduce((x, run) => pass.tape.scope(() => run(x, pass, rotation)), tokens.forward(pass.ids));
      return norm.forward(last);
    },
    dispose: () => table.dispose(),
  };
}

function block(config: LlamaConfig, layer: number, w: Weights): (x: Value, pass: Pass, rotation: Rotation) => Value {
  const attend = selfAttention(config, layer, w);
  const feed = feedForward(config, w);
  return (x, pass, rotation) => {
    const attended = add(x, attend(x, pass, rotation));
    return add(attended, feed(attended));
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
  return (x, pass, rotation) => {
    const h = norm.forward(x);
    const normed = (y: Value, headNorm: typeof qNorm) => (headNorm ? headNorm.forward(y) : y);
    const queries = rotate(normed(q.forward(h), qNorm), heads, rotation);
    const keys = rotate(normed(k.forward(h), kNorm), kvHeads, rotation);
    const whole = (value: Value) => ({ value, column: 0 });
    return out.forward(pass.attend(layer, whole(queries), whole(keys), whole(v.forward(h)), shape));
  };
}

function feedForward(config: LlamaConfig, w: Weights): (x: Value) => Value {
  const { hidden, intermediate, mlpBias: bias } = config;
  const part = w.at("mlp");
  const gate = part.linear("gate_proj", { inFeatures: hidden, outFeatures: intermediate, bias });
  const up = part.linear("up_proj", { inFeatures: hidden, outFeatures: intermediate, bias });
  const down = part.linear("down_proj", { inFeatures: intermediate, outFeatures: hidden, bias });
  const norm = w.rmsNorm("post_attention_layernorm", hidden, config.eps);
  return (x) => {
    const h = norm.forward(x);
    return down.forward(siluGate(gate.forward(h), up.forward(h)));
  };
}
