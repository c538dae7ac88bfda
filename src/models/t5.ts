/**
 * T5: encoder-decoder with pre-norm RMS norms and, instead of positions, a bias of the scores by distance that all layers of
 * a stack share (Raffel et al. 2020). Scores are not scaled: the published start of the queries makes up for it.
 */
import { UnsupportedError } from "../core/errors.ts";
import type { ConfigReader } from "../nn/config.ts";
import { defineModel, type EncoderDecoder } from "../nn/define-model.ts";
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
import { type Activation, activation, activations } from "../ops/pointwise/activation.ts";
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

export function t5Config(c: ConfigReader, defaults: T5Defaults): T5Config {
  const layers = { encoder: c.int("num_layers"), decoder: c.int("num_decoder_layers", c.int("num_layers")) };
  const heads = c.int("num_heads");
  const headDim = c.int("d_kv");
  return {
    vocabSize: c.int("vocab_size"),
    contextLength: Number.POSITIVE_INFINITY, // the last bucket holds all distances beyond the largest
    width: c.int("d_model"),
    inner: c.int("d_ff"),
    layers,
    heads,
    headDim,
    cache: { layers: layers.decoder, width: heads * headDim },
    buckets: c.int("relative_attention_num_buckets", 32),
    maxDistance: c.int("relative_attention_max_distance", 128),
    eps: c.float("layer_norm_epsilon", 1e-6),
    dropout: c.float("dropout_rate", 0.1),
    classifierDropout: c.float("classifier_dropout", 0),
    ...feedForwardOf(c, c.string("feed_forward_proj", defaults.feedForward)),
    tied: c.bool("tie_word_embeddings", defaults.tied),
    outputs: outputsOf(c),
    decoderStartTokenId: c.int("decoder_start_token_id", c.int("pad_token_id", 0)),
    eosTokenId: c.int("eos_token_id", 1),
  };
}

/** "relu" or "gated-gelu". Behind "gated-", "gelu" means its tanh form. */
function feedForwardOf(c: ConfigReader, name: string): Pick<T5Config, "activation" | "gated"> {
  const gated = name.startsWith("gated-");
  const plain = name === "gated-gelu" ? "gelu_new" : name.slice(gated ? "gated-".length : 0);
  const found = activations.find((known) => known === plain);
  if (found) return { activation: found, gated };
  throw new UnsupportedError(
    `${c.name}: "feed_forward_proj" is "${name}", this version knows ${activations.join(", ")}, each also behind "gated-"`,
  );
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
