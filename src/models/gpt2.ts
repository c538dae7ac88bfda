/** GPT-2: pre-norm decoder with layer norm, learned positions and a tied head (Radford et al. 2019). */
import { UnsupportedError } from "../core/errors.ts";
import type { ConfigReader } from "../nn/config.ts";
import { defineModel } from "../nn/define-model.ts";
import type { Weights } from "../nn/layers/weights.ts";
import type { Pass } from "../nn/pass/pass.ts";
import { type Backbone, decoderHeads } from "../nn/tasks/decoder-heads.ts";
import { outputsOf } from "../nn/tasks/label-names.ts";
import { add } from "../ops/add.ts";
import type { AttentionShape } from "../ops/attention.ts";
import { type GeluForm, gelu } from "../ops/gelu.ts";
import type { Value } from "../tape/tape.ts";

interface Gpt2Config {
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
  readonly activation: GeluForm;
  readonly embdPdrop: number;
  readonly residPdrop: number;
  /** Factor of layer i's scores. */
  readonly scale: (layer: number) => number;
}

const activations: ReadonlyMap<string, GeluForm> = new Map([
  ["gelu_new", "tanh"],
  ["gelu_pytorch_tanh", "tanh"],
  ["gelu_fast", "tanh"],
  ["gelu", "erf"],
]);

export const gpt2 = defineModel({
  modelType: "gpt2",
  title: "GPT-2 (Radford et al. 2019)",
  prefix: "transformer",
  targets: {
    linear: ["c_attn"],
    IA3: { targets: ["c_attn", "mlp.c_proj"], feedforward: ["mlp.c_proj"] },
    LN_TUNING: ["ln_1", "ln_2", "ln_f"],
  },
  config: readConfig,
  heads: decoderHeads({ className: "GPT2", path: "transformer", tokenHead: "classifier", build }),
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
  const width = c.int("n_embd", 768);
  const heads = c.int("n_head", 12);
  const name = c.string("activation_function", "gelu_new");
  const activation = activations.get(name);
  if (!activation) {
    const known = [...activations.keys()].join(", ");
    throw new UnsupportedError(`${c.name}: "activation_function" is "${name}", this version knows ${known}`);
  }
  const whole = c.bool("scale_attn_weights", true) ? 1 / Math.sqrt(width / heads) : 1;
  const byLayer = c.bool("scale_attn_by_inverse_layer_idx", false);
  return {
    vocabSize: c.int("vocab_size", 50257),
    contextLength: c.int("n_positions", 1024),
    width,
    inner: c.optionalInt("n_inner") ?? 4 * width,
    layers: c.int("n_layer", 12),
    heads,
    eps: c.float("layer_norm_epsilon", 1e-5),
    tied: c.bool("tie_word_embeddings", true),
    outputs: outputsOf(c),
    classifierDropout: c.float("classifier_dropout", c.float("hidden_dropout", 0.1)),
    activation,
    embdPdrop: c.float("embd_pdrop", 0.1),
    residPdrop: c.float("resid_pdrop", 0.1),
    scale: (layer) => (byLayer ? whole / (layer + 1) : whole),
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
  const shape: AttentionShape = { heads, kvHeads: heads, headDim, scale: config.scale(layer), causal: true, window: 0 };
  const attention = w.attention("attn", { shape, out, layer });
  const join1 = w.residual("attention_adapters", { subLayer: "attention", layer, width });
  const join2 = w.residual("output_adapters", { subLayer: "feed-forward", layer, width });
  return (x, pass) => {
    const value = qkv.forward(norm1.forward(x));
    const [q, k, v] = [0, 1, 2].map((part) => ({ value, column: part * width })) as [Part, Part, Part];
    const attended = join1.forward(pass.dropout(attention.forward(pass, q, k, v), residPdrop), x);
    const fed = down.forward(gelu(up.forward(norm2.forward(attended)), config.activation));
    return join2.forward(pass.dropout(fed, residPdrop), attended);
  };
}

interface Part {
  readonly value: Value;
  readonly column: number;
}
