/** ViT: pre-norm encoder over the patches of an image behind a class token (Dosovitskiy et al. 2020). */
import { type ConfigReader, MOST_LAYERS } from "../nn/config.ts";
import { defineModel, type Encoder } from "../nn/define-model.ts";
import { activationOf } from "../nn/layers/activation-name.ts";
import { selfAttention } from "../nn/layers/self-attention.ts";
import type { Weights } from "../nn/layers/weights.ts";
import type { Pass } from "../nn/pass/pass.ts";
import { pixels } from "../nn/pass/pixels.ts";
import { headed, type OfFirstRows, onFirstRows } from "../nn/tasks/encoder-heads.ts";
import { outputsOf } from "../nn/tasks/label-names.ts";
import { embedding } from "../ops/embed/embedding.ts";
import { type PatchGrid, patches } from "../ops/layout/patches.ts";
import { insertRows } from "../ops/layout/rows.ts";
import { type Activation, activation } from "../ops/pointwise/activation.ts";
import { add } from "../ops/pointwise/add.ts";
import type { Value } from "../tape/tape.ts";

export interface VitConfig {
  readonly grid: PatchGrid;
  readonly width: number;
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
  readonly eps: number;
  readonly dropout: number;
  readonly activation: Activation;
  /** Whether queries, keys and values have biases. */
  readonly qkvBias: boolean;
  readonly pooled: number;
  readonly poolerActivation: Activation;
  readonly outputs: number;
}

export const vit = defineModel({
  modelType: "vit",
  title: "ViT (Dosovitskiy et al. 2020)",
  prefix: "vit",
  targets: { linear: [], suggested: ["query", "value"] },
  keys: {
    unused: {
      "not applied in training": ["attention_probs_dropout_prob"],
      "heads that are not here": ["encoder_stride", "tie_word_embeddings"],
    },
  },
  config: readConfig,
  heads: {
    features: {
      architecture: "ViTModel",
      build(config, w) {
        const pool = pooler(config, w);
        return { ...build(config, w), pool: (hidden, pass) => onFirstRows(hidden, pass, pool) };
      },
    },
    imageLabels: {
      architecture: "ViTForImageClassification",
      build(config, w) {
        const stack = build(config, w.at("vit"));
        const head = w.head("classifier", { inFeatures: config.width, outFeatures: config.outputs, bias: true });
        const classify: OfFirstRows = (rows, at) => head.forward(rows, at);
        return headed(stack, config.outputs, (hidden, pass) => onFirstRows(hidden, pass, classify));
      },
    },
  },
});

function readConfig(c: ConfigReader): VitConfig {
  const hidden = c.count("hidden_size", 768);
  const heads = c.count("num_attention_heads", 12);
  c.share(hidden, "hidden_size", heads, "num_attention_heads");
  return {
    grid: gridOf(c),
    width: hidden,
    inner: c.count("intermediate_size", 3072),
    layers: c.count("num_hidden_layers", 12, MOST_LAYERS),
    heads,
    eps: c.positive("layer_norm_eps", 1e-12),
    dropout: c.probability("hidden_dropout_prob", 0),
    activation: activationOf(c, "hidden_act", "gelu"),
    qkvBias: c.bool("qkv_bias", true),
    pooled: c.count("pooler_output_size", hidden),
    poolerActivation: activationOf(c, "pooler_act", "tanh"),
    outputs: outputsOf(c),
  };
}

function gridOf(c: ConfigReader): PatchGrid {
  const [height, width] = pair(c, "image_size", 224);
  const [patchHeight, patchWidth] = pair(c, "patch_size", 16);
  if (patchHeight > height || patchWidth > width)
    throw c.wrong("patch_size", c.raw.patch_size, `at most the image's ${height} x ${width} ("image_size")`);
  return { channels: c.count("num_channels", 3), height, width, patchHeight, patchWidth };
}

/** Height and width, or one number for both. */
function pair(c: ConfigReader, key: string, missing: number): readonly [number, number] {
  const list = c.raw[key];
  if (!Array.isArray(list)) return [c.count(key, missing), c.count(key, missing)];
  const [height, width, ...others] = list as number[];
  if (others.length === 0 && [height, width].every((size) => Number.isInteger(size) && size! >= 1))
    return [height!, width!];
  throw c.wrong(key, list, "a whole number or [height, width]");
}

function build(config: VitConfig, w: Weights): Encoder {
  const { channels, height, width } = config.grid;
  const { rows, embed } = embeddings(config, w.at("embeddings"));
  const blocks = w.blocks("encoder.layer", config.layers, (part, i) => ({ run: block(config, i, part) }));
  const norm = w.layerNorm("layernorm", config.width, config.eps);
  return {
    vocabSize: 0,
    contextLength: rows,
    inputs: [pixels({ channels, height, width, rows })],
    forward: (pass) => norm.forward(pass.through(blocks, () => embed(pass))),
  };
}

/** The class token and the patches of each image, with their positions. */
function embeddings({ grid, width, dropout }: VitConfig, w: Weights): { rows: number; embed: (pass: Pass) => Value } {
  const { channels, patchHeight, patchWidth } = grid;
  const count = Math.floor(grid.height / patchHeight) * Math.floor(grid.width / patchWidth);
  const classToken = w.parameter("cls_token", [1, 1, width]);
  const positions = w.parameter("position_embeddings", [1, count + 1, width]);
  const kernel = [width, channels, patchHeight, patchWidth] as const;
  const projection = w.patchConvolution("patch_embeddings.projection", kernel);
  const embed = (pass: Pass) => {
    const { tape, starts } = pass;
    const projected = projection.forward(patches(tape, pass.input("pixels").values as Float32Array, grid));
    const first = embedding(tape.ids(Int32Array.of(0)), classToken.weight);
    const images = starts.length - 1;
    const rows = insertRows(
      projected,
      starts.map((_, s) => s * count),
      Array(images).fill(first),
    );
    return pass.dropout(add(rows, embedding(pass.positions, positions.weight)), dropout);
  };
  return { rows: count + 1, embed };
}

function block(config: VitConfig, layer: number, w: Weights): (x: Value, pass: Pass) => Value {
  const { width, inner, heads, eps, dropout } = config;
  const names = {
    site: "attention",
    query: "attention.attention.query",
    key: "attention.attention.key",
    value: "attention.attention.value",
    out: "attention.output.dense",
  };
  const norm1 = w.layerNorm("layernorm_before", width, eps);
  const attend = selfAttention(w, names, { width, heads, layer, causal: false, bias: config.qkvBias });
  const norm2 = w.layerNorm("layernorm_after", width, eps);
  const up = w.linear("intermediate.dense", { inFeatures: width, outFeatures: inner, bias: true });
  const down = w.linear("output.dense", { inFeatures: inner, outFeatures: width, bias: true });
  const join1 = w.blockResidual({ subLayer: "attention", layer, width });
  const join2 = w.blockResidual({ subLayer: "feed-forward", layer, width });
  return (x, pass) => {
    const attended = join1.forward(pass.dropout(attend(norm1.forward(x), pass), dropout), x, pass);
    const fed = down.forward(activation(up.forward(norm2.forward(attended), pass), config.activation), pass);
    return join2.forward(pass.dropout(fed, dropout), attended, pass);
  };
}

/** activation(dense(class token)). Checkpoints of other tasks lack it. */
function pooler({ width, pooled, poolerActivation }: VitConfig, w: Weights): OfFirstRows {
  const dense = w.head("pooler.dense", { inFeatures: width, outFeatures: pooled, bias: true });
  return (rows, at) => activation(dense.forward(rows, at), poolerActivation);
}
