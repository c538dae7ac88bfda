/**
 * T5: encoder-decoder with pre-norm RMS norms and, instead of positions, a bias of the scores by distance that all layers of
 * a stack share (Raffel et al. 2020). Scores are not scaled: the published start of the queries makes up for it.
 */
import { UnsupportedError } from "../core/errors.ts";
import { type ConfigReader, MOST_LAYERS } from "../nn/config.ts";
import type { ConfigKeys } from "../nn/config-keys.ts";
import { defineModel, type EncoderDecoder } from "../nn/define-model.ts";
import { activationNamed } from "../nn/layers/activation-name.ts";
import type { Embedding } from "../nn/layers/embedding.ts";
import type { Linear } from "../nn/layers/linear.ts";
import type { Weights } from "../nn/layers/weights.ts";
import type { CrossAttention } from "../nn/pass/cross-attention.ts";
import type { Pass } from "../nn/pass/pass.ts";
import type { SequenceRows } from "../nn/pass/sequences.ts";
import type { Stack } from "../nn/pass/virtual-tokens.ts";
import {
  type EncoderDecoderConfig,
  type EncoderDecoderHeads,
  encoderDecoderHeads,
} from "../nn/tasks/encoder-decoder-heads.ts";
import { outputsOf } from "../nn/tasks/label-names.ts";
import { type AttentionShape, allHeads } from "../ops/attention/attention.ts";
import { type RelativeBias, relativeBias } from "../ops/attention/relative-bias.ts";
import { type Activation, activation } from "../ops/pointwise/activation.ts";
import { gatedUnit } from "../ops/pointwise/gated-unit.ts";
import type { Value } from "../tape/tape.ts";

export interface T5Config extends EncoderDecoderConfig {
  readonly inner: number;
  /** Layers of each stack. */
  readonly layers: Readonly<Record<Stack, number>>;
  readonly heads: number;
  /** Width of a head; all heads together need not be as wide as the model. */
  readonly headDim: number;
  readonly buckets: number;
  readonly maxDistance: number;
  readonly eps: number;
  readonly dropout: number;
  readonly activation: Activation;
  /** Whether a second projection multiplies the activated one. */
  readonly gated: boolean;
}

/** What a config means that leaves a key out. */
export interface T5Defaults {
  readonly feedForward: string;
  readonly tied: boolean;
}

/** What the family does not read. */
export const t5Keys: ConfigKeys = {
  unused: { "where fresh weights start": ["initializer_factor"] },
  alsoCalled: {
    hidden_size: "d_model",
    num_attention_heads: "num_heads",
    num_hidden_layers: "num_layers",
    head_dim: "d_kv",
  },
};

export function t5Config(c: ConfigReader, defaults: T5Defaults): T5Config {
  const encoder = c.count("num_layers", undefined, MOST_LAYERS);
  const layers = { encoder, decoder: c.count("num_decoder_layers", encoder, MOST_LAYERS) };
  const heads = c.count("num_heads");
  const headDim = c.count("d_kv");
  return {
    vocabSize: c.count("vocab_size"),
    contextLength: Number.POSITIVE_INFINITY, // the last bucket holds all distances beyond the largest
    width: c.count("d_model"),
    inner: c.count("d_ff"),
    layers,
    heads,
    headDim,
    cache: { layers: layers.decoder, width: heads * headDim },
    ...distancesOf(c),
    eps: c.positive("layer_norm_epsilon", 1e-6),
    dropout: c.probability("dropout_rate", 0.1),
    classifierDropout: c.probability("classifier_dropout", 0),
    ...feedForwardOf(c, c.string("feed_forward_proj", defaults.feedForward)),
    tied: tiedOf(c, defaults.tied),
    outputs: outputsOf(c),
    decoderStartTokenId: c.int("decoder_start_token_id", c.int("pad_token_id", 0)),
    eosTokenId: c.int("eos_token_id", 1),
  };
}

/** Of the encoder's buckets half are for each direction, and half of those for one distance each. */
function distancesOf(c: ConfigReader): Pick<T5Config, "buckets" | "maxDistance"> {
  const buckets = c.count("relative_attention_num_buckets", 32);
  const maxDistance = c.count("relative_attention_max_distance", 128);
  if (buckets < 4) throw c.wrong("relative_attention_num_buckets", buckets, "at least 4");
  const exact = Math.floor(buckets / 2);
  if (maxDistance > exact) return { buckets, maxDistance };
  throw c.wrong("relative_attention_max_distance", maxDistance, `more than ${exact}, half of the buckets`);
}

/** A tied head scales its input. Newer configs state this in a separate key. */
function tiedOf(c: ConfigReader, missing: boolean): boolean {
  const tied = c.bool("tie_word_embeddings", missing);
  if (c.bool("scale_decoder_outputs", tied) === tied) return tied;
  throw new UnsupportedError(
    `${c.name}: "scale_decoder_outputs" is ${!tied}, this version supports only the value of "tie_word_embeddings" (${tied})`,
  );
}

/** "relu" or "gated-gelu". Behind "gated-", "gelu" means its tanh form. */
function feedForwardOf(c: ConfigReader, name: string): Pick<T5Config, "activation" | "gated"> {
  const [kind, plain = kind, ...more] = name.split("-") as [string, ...string[]];
  const gated = kind === "gated";
  if (more.length > 0 || (name.includes("-") && !gated))
    throw c.wrong("feed_forward_proj", name, 'an activation, or "gated-" and an activation');
  const missing = name === "gated-gelu" ? "gelu_new" : plain;
  const key = c.has("dense_act_fn") ? "dense_act_fn" : "feed_forward_proj";
  return {
    activation: activationNamed(c, key, c.string("dense_act_fn", missing)),
    gated: c.bool("is_gated_act", gated),
  };
}

export const t5 = defineModel({
  modelType: "t5",
  title: "T5 (Raffel et al. 2020)",
  prefix: "transformer",
  targets: {
    linear: ["q", "v"],
    budgeted: ["q", "k", "v", "o", "wi", "wo"],
    rescaled: { outputs: ["k", "v"], inputs: ["wo"] },
    norms: ["layer_norm", "final_layer_norm"],
  },
  keys: t5Keys,
  config: (c) => t5Config(c, { feedForward: "relu", tied: true }),
  heads: t5Heads("T5"),
});

/** The tasks of the family. `className` is what the published class names begin with. */
export function t5Heads(className: string): EncoderDecoderHeads<T5Config> {
  return encoderDecoderHeads({ className, encoder, decoder });
}

// ---- stacks

function encoder(config: T5Config, w: Weights, tokens: Embedding): (pass: Pass) => Value {
  const part = w.at("encoder");
  const { embed, biasOf, end } = ends(config, part, tokens, "encoder");
  const blocks = part.blocks("block", config.layers.encoder, (w, layer) => {
    const attend = selfAttention(config, layer, w.at("layer.0"), "encoder");
    const feed = feedForward(config, layer, w.at("layer.1"));
    return { run: (x: Value, pass: Pass, bias: RelativeBias) => feed(attend(x, pass, bias), pass) };
  });
  return (pass) =>
    end(
      pass.through(blocks, () => embed(pass), biasOf(pass)),
      pass,
    );
}

function decoder(config: T5Config, w: Weights, tokens: Embedding): Pick<EncoderDecoder, "decode" | "project"> {
  const part = w.at("decoder");
  const { embed, biasOf, end } = ends(config, part, tokens, "decoder");
  const blocks = part.blocks("block", config.layers.decoder, (w, layer) => {
    const attend = selfAttention(config, layer, w.at("layer.0"), "decoder");
    const { look, project } = crossAttention(config, layer, w.at("layer.1"));
    const feed = feedForward(config, layer, w.at("layer.2"));
    const run = (x: Value, pass: Pass, bias: RelativeBias, memory: CrossAttention) =>
      feed(look(attend(x, pass, bias), pass, memory), pass);
    return { run, project };
  });
  return {
    decode: (pass, memory) =>
      end(
        pass.through(blocks, () => embed(pass), biasOf(pass), memory),
        pass,
      ),
    project(rows, pass, cache) {
      blocks.forEach(({ project }, layer) => {
        pass.tape.scope(() => {
          const { k, v } = project(rows, pass);
          cache.keep(layer, k, v);
          return rows;
        });
      });
    },
  };
}

/** What comes before the first block of a stack and after the last. */
function ends(config: T5Config, w: Weights, tokens: Embedding, stack: Stack) {
  const { heads, buckets, maxDistance, width, dropout } = config;
  const distances = w.embedding("block.0.layer.0.SelfAttention.relative_attention_bias", buckets, heads);
  const norm = w.rmsNorm("final_layer_norm", width, config.eps);
  return {
    embed: (pass: Pass): Value => pass.dropout(pass.embed(tokens), dropout),
    biasOf(pass: Pass): RelativeBias {
      if (distances.deltas.length > 0)
        throw new UnsupportedError(`"${distances.name}" is not looked up by token: no adapter can act on it`);
      const rule = { buckets, maxDistance, bidirectional: stack === "encoder" };
      return relativeBias(pass.tape, distances.weight, { ...rule, reach: pass.reach });
    },
    end: (x: Value, pass: Pass): Value => pass.dropout(norm.forward(x), dropout),
  };
}

// ---- layers

interface Projections {
  readonly q: Linear;
  readonly k: Linear;
  readonly v: Linear;
  readonly out: Linear;
  readonly shape: AttentionShape;
}

function projections({ width, heads, headDim }: T5Config, w: Weights, causal: boolean): Projections {
  const into = { inFeatures: width, outFeatures: heads * headDim };
  return {
    q: w.linear("q", into),
    k: w.linear("k", into),
    v: w.linear("v", into),
    out: w.linear("o", { inFeatures: heads * headDim, outFeatures: width }),
    shape: { heads, kvHeads: heads, headDim, scale: 1, causal, window: 0 },
  };
}

function selfAttention(
  config: T5Config,
  layer: number,
  w: Weights,
  stack: Stack,
): (x: Value, pass: Pass, bias: RelativeBias) => Value {
  const { width, eps, dropout } = config;
  const { q, k, v, out, shape } = projections(config, w.at("SelfAttention"), stack === "decoder");
  const norm = w.rmsNorm("layer_norm", width, eps);
  const attention = w.attention("SelfAttention", { shape, out, layer });
  const join = w.residual("", { subLayer: "attention", layer, width });
  return (x, pass, bias) => {
    const h = norm.forward(x);
    const y = attention.forward(
      pass,
      allHeads(q.forward(h, pass)),
      allHeads(k.forward(h, pass)),
      allHeads(v.forward(h, pass)),
      bias,
    );
    return join.forward(pass.dropout(y, dropout), x, pass);
  };
}

/** Attention to the encoder's rows, without a bias. */
function crossAttention(config: T5Config, layer: number, w: Weights) {
  const { width, eps, dropout } = config;
  const { q, k, v, out, shape } = projections(config, w.at("EncDecAttention"), false);
  const norm = w.rmsNorm("layer_norm", width, eps);
  const join = w.residual("", { subLayer: "cross-attention", layer, width });
  const project = (rows: Value, encoder: SequenceRows) => ({
    k: k.forward(rows, encoder),
    v: v.forward(rows, encoder),
  });
  return {
    project,
    look(x: Value, pass: Pass, memory: CrossAttention): Value {
      const queries = allHeads(q.forward(norm.forward(x), pass));
      const y = out.forward(memory.attend(layer, pass, queries, shape, project), pass);
      return join.forward(pass.dropout(y, dropout), x, pass);
    },
  };
}

function feedForward(config: T5Config, layer: number, w: Weights): (x: Value, pass: Pass) => Value {
  const { width, inner, dropout, gated } = config;
  const part = w.at("DenseReluDense");
  const into = (name: string) => part.linear(name, { inFeatures: width, outFeatures: inner });
  const [first, second] = gated ? [into("wi_0"), into("wi_1")] : [into("wi"), null];
  const down = part.linear("wo", { inFeatures: inner, outFeatures: width });
  const norm = w.rmsNorm("layer_norm", width, config.eps);
  const join = w.residual("", { subLayer: "feed-forward", layer, width });
  return (x, pass) => {
    const h = norm.forward(x);
    const up = first.forward(h, pass);
    const fed =
      second === null ? activation(up, config.activation) : gatedUnit(up, second.forward(h, pass), config.activation);
    return join.forward(pass.dropout(down.forward(pass.dropout(fed, dropout), pass), dropout), x, pass);
  };
}
