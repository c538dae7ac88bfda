/** GPT-2: pre-norm decoder with layer norm, learned positions and a tied head (Radford et al. 2019). */
import { UnsupportedError } from "../core/errors.ts";
import type { ConfigReader } from "../nn/config.ts";
import { type Decoder, defineModel } from "../nn/define-model.ts";
import type { Pass } from "../nn/pass.ts";
import type { Weights } from "../nn/weights.ts";
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
  architecture: "GPT2LMHeadModel",
  prefix: "transformer",
  adaptByDefault: ["c_attn"],
  config: readConfig,
  build(config: Gpt2Config, w: Weights): Decoder {
    const { width, layers, heads } = config;
    const root = w.at("transformer");
    const tokens = root.embedding("wte", config.vocabSize, width);
    const places = root.embedding("wpe", config.contextLength, width);
    const blocks = Array.from({ length: layers }, (_, i) => block(config, i, root.at(`h.${i}`)));
    const norm = root.layerNorm("ln_f", width, config.eps);
    const shape = { inFeatures: width, outFeatures: config.vocabSize };
    const head = config.tied ? w.tiedHead("lm_head", tokens) : w.linear("lm_head", shape);
    return {
      vocabSize: config.vocabSize,
      contextLength: config.contextLength,
      cache: { layers, width: heads * (width / heads) },
      head,
      forward(pass) {
        const embedded = add(tokens.forward(pass.ids), places.forward(pass.positions));
        const first = pass.dropout(embedded, config.embdPdrop);
        return norm.forward(blocks.reduce((x, run) => pass.tape.scope(() => run(x, pass)), first));
      },
    };
  },
});

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
  return (x, pass) => {
    const value = qkv.forward(norm1.forward(x));
    const [q, k, v] = [0, 1, 2].map((part) => ({ value, column: part * width })) as [Part, Part, Part];
    const attended = add(x, pass.dropout(out.forward(pass.attend(layer, q, k, v, shape)), residPdrop));
    const fed = down.forward(gelu(up.forward(norm2.forward(attended)), config.activation));
    return add(attended, pass.dropout(fed, residPdrop));
  };
}

interface Part {
  readonly value: Value;
  readonly column: number;
}
