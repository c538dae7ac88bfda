/** Qwen2: Llama's block with biases on queries, keys and values (Yang et al. 2024). */
import type { ConfigReader } from "../nn/config.ts";
import { defineModel } from "../nn/define-model.ts";
import { buildLlama, llamaConfig, queryAndValue } from "./llama.ts";

/** Qwen's sliding window, off unless asked for: by `layer_types`, else on layers from `max_window_layers` on. */
export function qwenWindow(c: ConfigReader): (layer: number) => number {
  const window = c.bool("use_sliding_window", false) ? (c.optionalInt("sliding_window") ?? 0) : 0;
  const types = c.list("layer_types");
  const first = c.int("max_window_layers", 28);
  return (layer) => ((types ? types[layer] === "sliding_attention" : layer >= first) ? window : 0);
}

export const qwen2 = defineModel({
  modelType: "qwen2",
  architecture: "Qwen2ForCausalLM",
  prefix: "model",
  adaptByDefault: queryAndValue,
  config: (c) => ({ ...llamaConfig(c), qkvBias: true, outBias: false, mlpBias: false, window: qwenWindow(c) }),
  build: buildLlama,
});
