/** Qwen3: Llama's block with an RMS norm on every query and key head (Yang et al. 2025). */
import { defineModel } from "../nn/define-model.ts";
import { buildLlama, llamaConfig, queryAndValue } from "./llama.ts";
import { qwenWindow } from "./qwen2.ts";

export const qwen3 = defineModel({
  modelType: "qwen3",
  architecture: "Qwen3ForCausalLM",
  prefix: "model",
  adaptByDefault: queryAndValue,
  config: (c) => ({
    ...llamaConfig(c),
    mlpBias: false,
    headNorms: true,
    window: qwenWindow(c),
  }),
  build: buildLlama,
});
