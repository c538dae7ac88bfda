/** Qwen2: Llama's block with biases on queries, keys and values (Yang et al. 2024). */
import type { ConfigReader } from "../nn/config.ts";
import { type DefaultTargets, defineModel } from "../nn/define-model.ts";
import { decoderHeads } from "../nn/tasks/decoder-heads.ts";
import { buildLlama, llamaConfig } from "./llama.ts";

/** Qwen's sliding window, off unless asked for: by `layer_types`, else on layers from `max_window_layers` on. */
export function qwenWindow(c: ConfigReader): (layer: number) => number {
  const window = c.bool("use_sliding_window", false) ? (c.optionalInt("sliding_window") ?? 0) : 0;
  const types = c.list("layer_types");
  const first = c.int("max_window_layers", 28);
  return (layer) => ((types ? types[layer] === "sliding_attention" : layer >= first) ? window : 0);
}

/** PEFT's tables for Qwen2 and Qwen3. */
export const qwenTargets: DefaultTargets = {
  linear: ["q_proj", "v_proj"],
  rescaled: { outputs: ["q_proj", "v_proj"], inputs: ["down_proj"] },
  norms: ["post_attention_layernorm"],
  attention: "self_attn",
};

export const qwen2 = defineModel({
  modelType: "qwen2",
  title: "Qwen2 (Yang et al. 2024)",
  prefix: "model",
  targets: qwenTargets,
  config: (c) => ({ ...llamaConfig(c), qkvBias: true, outBias: false, mlpBias: false, window: qwenWindow(c) }),
  heads: decoderHeads({
    className: "Qwen2",
    path: "model",
    spanPath: "transformer",
    tokenHead: "score",
    build: buildLlama,
  }),
});
