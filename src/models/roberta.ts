/** RoBERTa: BERT's stack, with positions that count on from that of padding and a head of two layers (Liu et al. 2019). */
import type { ConfigReader } from "../nn/config.ts";
import { defineModel } from "../nn/define-model.ts";
import type { Weights } from "../nn/layers/weights.ts";
import { encoderHeads, type OfFirstRows } from "../nn/tasks/encoder-heads.ts";
import { tanh } from "../ops/pointwise/activation.ts";
import { type BertConfig, bertConfig, buildBert, pooler } from "./bert.ts";

export const roberta = defineModel({
  modelType: "roberta",
  title: "RoBERTa (Liu et al. 2019)",
  prefix: "roberta",
  targets: {
    linear: ["query", "value"],
    budgeted: ["query", "key", "value", "dense"],
    rescaled: { outputs: ["key", "value"], inputs: ["output.dense"] },
  },
  config: robertaConfig,
  heads: encoderHeads({
    className: "Roberta",
    path: "roberta",
    build: buildBert,
    pooler,
    classifier: robertaClassifier,
  }),
});

export function robertaConfig(c: ConfigReader): BertConfig {
  return { ...bertConfig(c), paddingId: c.int("pad_token_id", 1) };
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
