/** Mistral: Llama's block with a sliding window on every layer (Jiang et al. 2023). */

import { defineModel } from "../nn/define-model.ts";
import { decoderHeads } from "../nn/tasks/decoder-heads.ts";
import { buildLlama, llamaConfig, llamaKeys, llamaTargets, slidingWindow } from "./llama.ts";

export const mistral = defineModel({
  modelType: "mistral",
  title: "Mistral (Jiang et al. 2023)",
  prefix: "model",
  targets: llamaTargets,
  keys: llamaKeys,
  config(c) {
    const shared = llamaConfig(c, { positions: 131072, kvHeads: 8, headDim: null });
    const window = slidingWindow(c) ?? 0;
    return { ...shared, windows: shared.windows.map(() => window) };
  },
  heads: decoderHeads({
    className: "Mistral",
    path: "model",
    tokenHead: "score",
    build: buildLlama,
  }),
});
