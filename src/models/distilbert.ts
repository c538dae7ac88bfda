/** DistilBERT: half of BERT's layers, without token types and pooler (Sanh et al. 2019). */

import { type ConfigReader, MOST_LAYERS } from "../nn/config.ts";
import { defineModel, type Encoder } from "../nn/define-model.ts";
import { activationOf } from "../nn/layers/activation-name.ts";
import { selfAttention } from "../nn/layers/self-attention.ts";
import type { Weights } from "../nn/layers/weights.ts";
import type { Pass } from "../nn/pass/pass.ts";
import { type EncoderHeadConfig, encoderHeads, type OfFirstRows } from "../nn/tasks/encoder-heads.ts";
import { outputsOf } from "../nn/tasks/label-names.ts";
import { type Activation, activation, relu } from "../ops/pointwise/activation.ts";
import { add } from "../ops/pointwise/add.ts";
import type { Value } from "../tape/tape.ts";

export interface DistilbertConfig extends EncoderHeadConfig {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
  readonly dropout: number;
  readonly classifierDropout: number;
  readonly activation: Activation;
}

/** Of all layer norms: no config says otherwise. */
const EPS = 1e-12;

export const distilbert = defineModel({
  modelType: "distilbert",
  title: "DistilBERT (Sanh et al. 2019)",
  prefix: "distilbert",
  targets: { linear: [], suggested: ["q_lin", "v_lin"] },
  keys: {
    unused: {
      "not applied in training": ["attention_dropout"],
      "where fresh positions start": ["sinusoidal_pos_embds"],
      "heads that are not here": ["tie_word_embeddings"],
    },
    alsoCalled: { hidden_size: "dim", num_attention_heads: "n_heads", num_hidden_layers: "n_layers" },
  },
  config: readConfig,
  heads: encoderHeads({ className: "DistilBert", path: "distilbert", build, classifier }),
});

function readConfig(c: ConfigReader): DistilbertConfig {
  const dropout = c.probability("dropout", 0.1);
  const width = c.count("dim", 768);
  const heads = c.count("n_heads", 12);
  c.share(width, "dim", heads, "n_heads");
  return {
    vocabSize: c.count("vocab_size", 30522),
    contextLength: c.count("max_position_embeddings", 512),
    width,
    inner: c.count("hidden_dim", 4 * 768),
    layers: c.count("n_layers", 6, MOST_LAYERS),
    heads,
    dropout,
    activation: activationOf(c, "activation", "gelu"),
    outputs: outputsOf(c),
    classifierDropout: c.probability("seq_classif_dropout", 0.2),
    tokenDropout: dropout,
    spanDropout: c.probability("qa_dropout", 0.1),
  };
}

function build(config: DistilbertConfig, w: Weights): Encoder {
  const { vocabSize, contextLength, width, dropout } = config;
  const embeddings = w.at("embeddings");
  const words = embeddings.embedding("word_embeddings", vocabSize, width);
  const positions = embeddings.embedding("position_embeddings", contextLength, width);
  const norm = embeddings.layerNorm("LayerNorm", width, EPS);
  const blocks = w.blocks("transformer.layer", config.layers, (part, i) => ({ run: block(config, i, part) }));
  const embed = (pass: Pass) =>
    pass.dropout(norm.forward(add(pass.embed(words), positions.forward(pass.positions))), dropout);
  return {
    vocabSize,
    contextLength,
    forward: (pass) => pass.through(blocks, () => embed(pass)),
  };
}

function block(config: DistilbertConfig, layer: number, w: Weights): (x: Value, pass: Pass) => Value {
  const { width, inner, heads, dropout } = config;
  const names = {
    site: "attention",
    query: "attention.q_lin",
    key: "attention.k_lin",
    value: "attention.v_lin",
    out: "attention.out_lin",
  };
  const attend = selfAttention(w, names, { width, heads, layer, causal: false, bias: true });
  const norm1 = w.layerNorm("sa_layer_norm", width, EPS);
  const up = w.linear("ffn.lin1", { inFeatures: width, outFeatures: inner, bias: true });
  const down = w.linear("ffn.lin2", { inFeatures: inner, outFeatures: width, bias: true });
  const norm2 = w.layerNorm("output_layer_norm", width, EPS);
  const join1 = w.blockResidual({ subLayer: "attention", layer, width, norm: norm1 });
  const join2 = w.blockResidual({ subLayer: "feed-forward", layer, width, norm: norm2 });
  return (x, pass) => {
    const attended = join1.forward(attend(x, pass), x, pass);
    const fed = down.forward(activation(up.forward(attended, pass), config.activation), pass);
    return join2.forward(pass.dropout(fed, dropout), attended, pass);
  };
}

/** classifier(relu(pre_classifier(first row))). */
function classifier({ width, outputs, classifierDropout }: DistilbertConfig, w: Weights): OfFirstRows {
  const dense = w.head("pre_classifier", { inFeatures: width, outFeatures: width, bias: true });
  const head = w.head("classifier", { inFeatures: width, outFeatures: outputs, bias: true });
  return (rows, at) => head.forward(at.dropout(relu(dense.forward(rows, at)), classifierDropout), at);
}
