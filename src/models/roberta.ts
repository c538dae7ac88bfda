/** RoBERTa: BERT's stack, with positions that count on from that of padding and a head of two layers (Liu et al. 2019). */
import type { ConfigReader } from "../nn/config.ts";
import { defineModel } from "../nn/define-model.ts";
import type { Weights } from "../nn/layers/weights.ts";
import { encoderHeads, type OfFirstRows } from "../nn/tasks/encoder-heads.ts";
import { tanh } from "../ops/pointwise/activation.ts";
import { type BertConfig, bertConfig, bertKeys, buildBert, pooler } from "./bert.ts";

export const roberta = defineModel({
  modelType: "roberta",
  title: "RoBERTa (Liu et al. 2019)",
  prefix: "roberta",
  targets: {
    linear: ["query", "value"],
    budgeted: ["query", "key", "value", "dense"],
    rescaled: { outputs: ["key", "value"], inputs: ["output.dense"] },
  },
  keys: bertKeys,
  config: (c) => robertaConfig(c, 50265),
  heads: encoderHeads({
    className: "Roberta",
    path: "roberta",
    build: buildBert,
    pooler,
    classifier: robertaClassifier,
  }),
});

/** CamemBERT: RoBERTa trained on French (Martin et al. 2019). */
export const camembert = defineModel({
  modelType: "camembert",
  title: "CamemBERT (Martin et al. 2019)",
  prefix: "roberta",
  targets: { linear: [], suggested: ["query", "value"] },
  keys: bertKeys,
  config: (c) => robertaConfig(c),
  heads: encoderHeads({
    className: "Camembert",
    path: "roberta",
    build: buildBert,
    pooler,
    classifier: robertaClassifier,
  }),
});

/** Data2Vec for text: RoBERTa's stack, trained to predict its own hidden rows (Baevski et al. 2022). */
export const data2vecText = defineModel({
  modelType: "data2vec-text",
  title: "Data2Vec for text (Baevski et al. 2022)",
  prefix: "data2vec_text",
  targets: { linear: [], suggested: ["query", "value"] },
  keys: bertKeys,
  config: (c) => robertaConfig(c),
  heads: encoderHeads({
    className: "Data2VecText",
    path: "data2vec_text",
    build: buildBert,
    pooler,
    classifier: robertaClassifier,
  }),
});

/** BERT's keys and the id that positions count from. `vocabSize` is what a config means that leaves it out. */
export function robertaConfig(c: ConfigReader, vocabSize?: number): BertConfig {
  const config = bertConfig(c, vocabSize);
  const paddingId = c.int("pad_token_id", 1);
  if (paddingId < 0 || paddingId + 1 >= config.positions)
    throw c.wrong(
      "pad_token_id",
      paddingId,
      `from 0 to less than "max_position_embeddings" - 1 (${config.positions - 1})`,
    );
  return { ...config, paddingId };
}

/** out_proj(tanh(dense(first row))). */
export function robertaClassifier({ width, outputs, tokenDropout }: BertConfig, w: Weights): OfFirstRows {
  const dense = w.head("classifier.dense", { inFeatures: width, outFeatures: width, bias: true });
  const out = w.head("classifier.out_proj", { inFeatures: width, outFeatures: outputs, bias: true });
  return (rows, at) => {
    const inner = tanh(dense.forward(at.dropout(rows, tokenDropout), at));
    return out.forward(at.dropout(inner, tokenDropout), at);
  };
}
