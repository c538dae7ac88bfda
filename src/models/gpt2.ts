/** GPT-2: pre-norm decoder with layer norm, learned positions and a tied head (Radford et al. 2019). */
import { type ConfigReader, MOST_LAYERS } from "../nn/config.ts";
import { defineModel } from "../nn/define-model.ts";
import { activationOf } from "../nn/layers/activation-name.ts";
import type { Weights } from "../nn/layers/weights.ts";
import type { Pass } from "../nn/pass/pass.ts";
import { type Backbone, decoderHeads } from "../nn/tasks/decoder-heads.ts";
import { outputsOf } from "../nn/tasks/label-names.ts";
import type { AttentionShape } from "../ops/attention/attention.ts";
import { type Activation, activation } from "../ops/pointwise/activation.ts";
import { add } from "../ops/pointwise/add.ts";
import type { Value } from "../tape/tape.ts";

export interface Gpt2Config {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly width: number;
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
  readonly eps: number;
  readonly tied: boolean;
  readonly outputs: number;
  readonly classifierDropout: number;
  readonly activation: Activation;
  readonly embdPdrop: number;
  readonly residPdrop: number;
  readonly padTokenId: number | null;
  /** Factor of each layer's scores. */
  readonly scales: readonly number[];
}

export const gpt2 = defineModel({
  modelType: "gpt2",
  title: "GPT-2 (Radford et al. 2019)",
  prefix: "transformer",
  targets: {
    linear: ["c_attn"],
    rescaled: { outputs: ["c_attn"], inputs: ["mlp.c_proj"] },
    norms: ["ln_1", "ln_2", "ln_f"],
    attention: "attn",
  },
  keys: {
    unused: {
      "not applied in training": ["attn_pdrop"],
      "scores are float32 in any order": ["reorder_and_upcast_attn"],
      "heads that are not here": [
        ...[
          "summary_type",
          "summary_use_proj",
          "summary_activation",
          "summary_first_dropout",
          "summary_proj_to_labels",
        ],
      ],
    },
    alsoCalled: {
      hidden_size: "n_embd",
      max_position_embeddings: "n_positions",
      num_attention_heads: "n_head",
      num_hidden_layers: "n_layer",
    },
  },
  config: readConfig,
  heads: decoderHeads({
    className: "GPT2",
    languageModel: "GPT2LMHeadModel",
    path: "transformer",
    tokenHead: "classifier",
    build,
  }),
});

function build(config: Gpt2Config, w: Weights): Backbone {
  const { width, layers } = config;
  const tokens = w.embedding("wte", config.vocabSize, width);
  const places = w.embedding("wpe", config.contextLength, width);
  const blocks = w.blocks("h", layers, (part, i) => ({ run: block(config, i, part) }));
  const norm = w.layerNorm("ln_f", width, config.eps);
  const embed = (pass: Pass) => pass.dropout(add(pass.embed(tokens), places.forward(pass.positions)), config.embdPdrop);
  return {
    vocabSize: config.vocabSize,
    contextLength: config.contextLength,
    width,
    tokens,
    cache: { layers, width },
    forward: (pass) => norm.forward(pass.through(blocks, () => embed(pass))),
  };
}

function readConfig(c: ConfigReader): Gpt2Config {
  const width = c.count("n_embd", 768);
  const heads = c.count("n_head", 12);
  const layers = c.count("n_layer", 12, MOST_LAYERS);
  const headDim = c.share(width, "n_embd", heads, "n_head");
  const scale = c.bool("scale_attn_weights", true) ? 1 / Math.sqrt(headDim) : 1;
  const byLayer = c.bool("scale_attn_by_inverse_layer_idx", false);
  return {
    vocabSize: c.count("vocab_size", 50257),
    contextLength: c.count("n_positions", 1024),
    width,
    inner: c.optionalCount("n_inner") ?? 4 * width,
    layers,
    heads,
    eps: c.positive("layer_norm_epsilon", 1e-5),
    tied: c.bool("tie_word_embeddings", true),
    outputs: outputsOf(c),
    classifierDropout: c.probability("classifier_dropout", c.probability("hidden_dropout", 0.1)),
    activation: activationOf(c, "activation_function", "gelu_new"),
    embdPdrop: c.probability("embd_pdrop", 0.1),
    residPdrop: c.probability("resid_pdrop", 0.1),
    padTokenId: c.optionalInt("pad_token_id"),
    scales: Array.from({ length: layers }, (_, layer) => (byLayer ? scale / (layer + 1) : scale)),
  };
}

function block(config: Gpt2Config, layer: number, w: Weights): (x: Value, pass: Pass) => Value {
  const { width, inner, heads, eps, residPdrop } = config;
  const conv = (name: string, inFeatures: number, outFeatures: number) =>
    w.linear(name, { inFeatures, outFeatures, bias: true, stored: "in-out" });
  const norm1 = w.layerNorm("ln_1", width, eps);
  const qkv = conv("attn.c_attn", width, 3 * width);
  const out = conv("attn.c_proj", width, width);
  const norm2 = w.layerNorm("ln_2", width, eps);
  const up = conv("mlp.c_fc", width, inner);
  const down = conv("mlp.c_proj", inner, width);
  const headDim = width / heads;
  const scale = config.scales[layer]!;
  const shape: AttentionShape = { heads, kvHeads: heads, headDim, scale, causal: true, window: 0 };
  const attention = w.attention("attn", { shape, out, layer });
  const join1 = w.blockResidual({ subLayer: "attention", layer, width });
  const join2 = w.blockResidual({ subLayer: "feed-forward", layer, width });
  return (x, pass) => {
    const value = qkv.forward(norm1.forward(x), pass);
    const [q, k, v] = [0, 1, 2].map((part) => ({ value, column: part * width })) as [Part, Part, Part];
    const attended = join1.forward(pass.dropout(attention.forward(pass, q, k, v), residPdrop), x, pass);
    const fed = down.forward(activation(up.forward(norm2.forward(attended), pass), config.activation), pass);
    return join2.forward(pass.dropout(fed, residPdrop), attended, pass);
  };
}

interface Part {
  readonly value: Value;
  readonly column: number;
}
