/** BERT: encoder with layer norms behind the residual connections and learned positions (Devlin et al. 2018). */
import { UnsupportedError } from "../core/errors.ts";
import { type ConfigReader, MOST_LAYERS } from "../nn/config.ts";
import type { ConfigKeys } from "../nn/config-keys.ts";
import { type Decoder, defineModel, type Encoder } from "../nn/define-model.ts";
import { activationOf } from "../nn/layers/activation-name.ts";
import type { Embedding } from "../nn/layers/embedding.ts";
import { selfAttention } from "../nn/layers/self-attention.ts";
import type { Weights } from "../nn/layers/weights.ts";
import type { Pass } from "../nn/pass/pass.ts";
import { expectIds } from "../nn/pass/sequences.ts";
import { type EncoderHeadConfig, encoderHeads, type OfFirstRows } from "../nn/tasks/encoder-heads.ts";
import { outputsOf } from "../nn/tasks/label-names.ts";
import { type Activation, activation, tanh } from "../ops/pointwise/activation.ts";
import { add } from "../ops/pointwise/add.ts";
import type { Value } from "../tape/tape.ts";

export interface BertConfig extends EncoderHeadConfig {
  readonly name: string;
  readonly vocabSize: number;
  /** Rows of the table of positions. */
  readonly positions: number;
  readonly tokenTypes: number;
  readonly inner: number;
  readonly layers: number;
  readonly heads: number;
  readonly eps: number;
  readonly dropout: number;
  readonly activation: Activation;
  readonly tied: boolean;
  readonly causal: boolean;
  /** RoBERTa's rule for positions; null for BERT's. */
  readonly paddingId: number | null;
}

/** What all of the family do not read. */
export const bertKeys: ConfigKeys = {
  only: { position_embedding_type: ["absolute"] },
  unused: { "not applied in training": ["attention_probs_dropout_prob"] },
};

export const bert = defineModel({
  modelType: "bert",
  title: "BERT (Devlin et al. 2018)",
  prefix: "bert",
  targets: {
    linear: ["query", "value"],
    budgeted: ["query", "value"],
    rescaled: { outputs: ["key", "value"], inputs: ["output.dense"] },
  },
  keys: bertKeys,
  config: (c) => bertConfig(c),
  heads: {
    ...encoderHeads({ className: "Bert", path: "bert", build: buildBert, pooler, classifier: classifierAt("bert") }),
    languageModel: { architecture: "BertLMHeadModel", build: languageModel },
  },
});

/** ERNIE: BERT's stack under another name, as long as no task ids are embedded (Sun et al. 2019). */
export const ernie = defineModel({
  modelType: "ernie",
  title: "ERNIE (Sun et al. 2019)",
  prefix: "ernie",
  targets: { linear: [], suggested: ["query", "value"] },
  keys: {
    only: { ...bertKeys.only, use_task_id: [false] },
    unused: { ...bertKeys.unused, "size of what is not there": ["task_type_vocab_size"] },
  },
  config: (c) => bertConfig(c),
  heads: encoderHeads({
    className: "Ernie",
    path: "ernie",
    build: buildBert,
    pooler,
    classifier: classifierAt("ernie"),
  }),
});

/** The keys that all of the family share. `vocabSize` is what a config means that leaves it out. */
export function bertConfig(c: ConfigReader, vocabSize = 30522): BertConfig {
  const dropout = c.probability("hidden_dropout_prob", 0.1);
  const width = c.count("hidden_size", 768);
  const heads = c.count("num_attention_heads", 12);
  c.share(width, "hidden_size", heads, "num_attention_heads");
  return {
    name: c.name,
    vocabSize: c.count("vocab_size", vocabSize),
    positions: c.count("max_position_embeddings", 512),
    tokenTypes: c.count("type_vocab_size", 2),
    width,
    inner: c.count("intermediate_size", 3072),
    layers: c.count("num_hidden_layers", 12, MOST_LAYERS),
    heads,
    eps: c.positive("layer_norm_eps", 1e-12),
    dropout,
    activation: activationOf(c, "hidden_act", "gelu"),
    tied: c.bool("tie_word_embeddings", true),
    causal: c.bool("is_decoder", false),
    outputs: outputsOf(c),
    tokenDropout: c.probability("classifier_dropout", dropout),
    spanDropout: 0,
    paddingId: null,
  };
}

export function buildBert(config: BertConfig, w: Weights): Encoder {
  return build(config, w).stack;
}

function build(config: BertConfig, w: Weights): { stack: Encoder; words: Embedding } {
  const { vocabSize, positions, paddingId } = config;
  const { words, embed } = embeddings(config, w.at("embeddings"));
  const blocks = w.blocks("encoder.layer", config.layers, (part, i) => ({ run: block(config, i, part) }));
  const stack: Encoder = {
    vocabSize,
    // RoBERTa's positions begin behind that of padding.
    contextLength: paddingId === null ? positions : positions - paddingId - 1,
    paddingId,
    forward: (pass) => pass.through(blocks, () => embed(pass)),
  };
  return { stack, words };
}

function embeddings(config: BertConfig, w: Weights): { words: Embedding; embed: (pass: Pass) => Value } {
  const { width, tokenTypes } = config;
  const words = w.embedding("word_embeddings", config.vocabSize, width);
  const positions = w.embedding("position_embeddings", config.positions, width);
  const types = w.embedding("token_type_embeddings", tokenTypes, width);
  const norm = w.layerNorm("LayerNorm", width, config.eps);
  const embed = (pass: Pass) => {
    const { tokenTypes: given } = pass.sequences;
    if (given) expectIds("token types", given, tokenTypes, `"type_vocab_size" of ${config.name}`);
    const typed = add(pass.embed(words), types.forward(pass.perRow(given)));
    return pass.dropout(norm.forward(add(typed, positions.forward(pass.positions))), config.dropout);
  };
  return { words, embed };
}

function block(config: BertConfig, layer: number, w: Weights): (x: Value, pass: Pass) => Value {
  const { width, inner, heads, eps, causal, dropout } = config;
  const names = {
    site: "attention",
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    out: "attention.output.dense",
  };
  const attend = selfAttention(w, names, { width, heads, layer, causal, bias: true });
  const norm1 = w.layerNorm("attention.output.LayerNorm", width, eps);
  const up = w.linear("intermediate.dense", { inFeatures: width, outFeatures: inner, bias: true });
  const down = w.linear("output.dense", { inFeatures: inner, outFeatures: width, bias: true });
  const norm2 = w.layerNorm("output.LayerNorm", width, eps);
  const join1 = w.residual("attention.output", { subLayer: "attention", layer, width, norm: norm1 });
  const join2 = w.residual("output", { subLayer: "feed-forward", layer, width, norm: norm2 });
  return (x, pass) => {
    const attended = join1.forward(pass.dropout(attend(x, pass), dropout), x, pass);
    const fed = down.forward(activation(up.forward(attended, pass), config.activation), pass);
    return join2.forward(pass.dropout(fed, dropout), attended, pass);
  };
}

/** tanh(dense(first row)). Checkpoints of other tasks may lack it. */
export function pooler({ width }: BertConfig, w: Weights): OfFirstRows {
  const dense = w.head("pooler.dense", { inFeatures: width, outFeatures: width, bias: true });
  return (rows, at) => tanh(dense.forward(rows, at));
}

/** classifier(pooled first row), where the stack is published at `path`. */
function classifierAt(path: string): (config: BertConfig, w: Weights) => OfFirstRows {
  return (config, w) => {
    const pool = pooler(config, w.at(path));
    const head = w.head("classifier", { inFeatures: config.width, outFeatures: config.outputs, bias: true });
    return (rows, at) => head.forward(at.dropout(pool(rows, at), config.tokenDropout), at);
  };
}

function languageModel(config: BertConfig, w: Weights): Decoder {
  if (!config.causal) {
    throw new UnsupportedError(
      `${config.name}: "is_decoder" is not true, so every token sees the one it should predict; set it (config: { is_decoder: true })`,
    );
  }
  const { width, vocabSize, layers, eps } = config;
  const { stack, words } = build(config, w.at("bert"));
  const task = w.at("cls.predictions").ofTask();
  const dense = task.linear("transform.dense", { inFeatures: width, outFeatures: width, bias: true });
  const norm = task.layerNorm("transform.LayerNorm", width, eps);
  const head = config.tied
    ? task.tiedHead("decoder", words, "bias")
    : task.linear("decoder", { inFeatures: width, outFeatures: vocabSize, bias: "bias" });
  return {
    ...stack,
    cache: { layers, width },
    forward: (pass) => norm.forward(activation(dense.forward(stack.forward(pass), pass), config.activation)),
    head,
  };
}
