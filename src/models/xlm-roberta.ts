/** XLM-RoBERTa: RoBERTa trained on a hundred languages (Conneau et al. 2019). */
import { defineModel } from "../nn/define-model.ts";
import { encoderHeads } from "../nn/tasks/encoder-heads.ts";
import { bertKeys, buildBert, pooler } from "./bert.ts";
import { robertaClassifier, robertaConfig } from "./roberta.ts";

export const xlmRoberta = defineModel({
  modelType: "xlm-roberta",
  title: "XLM-RoBERTa (Conneau et al. 2019)",
  prefix: "roberta",
  targets: { linear: ["query", "value"] },
  keys: bertKeys,
  config: (c) => robertaConfig(c),
  heads: encoderHeads({
    className: "XLMRoberta",
    path: "roberta",
    build: buildBert,
    pooler,
    classifier: robertaClassifier,
  }),
});
