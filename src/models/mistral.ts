/** Mistral: Llama's block with a sliding window on every layer (Jiang et al. 2023). */

import { defineModel } from "../nn/define-model.ts";
import { decoderHeads } from "../nn/tasks/decoder-heads.ts";
import { buildLlama, llamaConfig, llamaTargets } from "./llama.ts";

export const mistral = defineModel({
  modelType: "mistral",
  title: "Mistral (Jiang et al. 2023)",
  prefix: "model",
  targets: llamaTargets,
  config(c) {
    // A config that leaves the key out means 4096; null means no window.
    const window = "sliding_window" in c.raw ? (c.optionalInt("sliding_window") ?? 0) : 4096;
    return { ...llamaConfig(c), qkvBias: false, outBias: false, mlpBias: false, window: () => window };
  },
  heads: decoderHeads({
    className: "Mistral",
    path: "model",
    tokenHead: "score",
    build: buildLlama,
  }),
});
