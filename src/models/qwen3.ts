/** Qwen3: Llama's block with an RMS norm on every query and key head (Yang et al. 2025). */

import { defineModel } from "../nn/define-model.ts";
import { decoderHeads } from "../nn/tasks/decoder-heads.ts";
import { buildLlama, llamaConfig, llamaKeys } from "./llama.ts";
import { qwenDefaults, qwenTargets, qwenWindows } from "./qwen2.ts";

export const qwen3 = defineModel({
  modelType: "qwen3",
  title: "Qwen3 (Yang et al. 2025)",
  prefix: "model",
  targets: qwenTargets,
  keys: llamaKeys,
  config(c) {
    const bias = c.bool("attention_bias", false);
    const shared = llamaConfig(c, { ...qwenDefaults, headDim: 128 });
    return { ...shared, qkvBias: bias, outBias: bias, headNorms: true, windows: qwenWindows(c, shared.layers) };
  },
  heads: decoderHeads({
    className: "Qwen3",
    path: "model",
    spanPath: "transformer",
    tokenHead: "score",
    build: buildLlama,
  }),
});
