/** Qwen3: Llama's block with an RMS norm on every query and key head (Yang et al. 2025). */

import { defineModel } from "../nn/define-model.ts";
import { decoderHeads } from "../nn/tasks/decoder-heads.ts";
import { buildLlama, llamaConfig } from "./llama.ts";
import { qwenTargets, qwenWindow } from "./qwen2.ts";

export const qwen3 = defineModel({
  modelType: "qwen3",
  title: "Qwen3 (Yang et al. 2025)",
  prefix: "model",
  targets: qwenTargets,
  config: (c) => ({
    ...llamaConfig(c),
    mlpBias: false,
    headNorms: true,
    window: qwenWindow(c),
  }),
  heads: decoderHeads({
    className: "Qwen3",
    path: "model",
    spanPath: "transformer",
    tokenHead: "score",
    build: buildLlama,
  }),
});
