/** Qwen2: Llama's block with biases on queries, keys and values (Yang et al. 2024). */
import type { ConfigReader } from "../nn/config.ts";
import { type DefaultTargets, defineModel } from "../nn/define-model.ts";
import { decoderHeads } from "../nn/tasks/decoder-heads.ts";
import { buildLlama, llamaConfig, llamaKeys, slidingWindow } from "./llama.ts";

/** What Qwen's configs mean that leave a key out, besides the width of a head. */
export const qwenDefaults = { positions: 32768, kvHeads: 32 } as const;

/** Qwen's sliding window, off unless asked for: by `layer_types`, else on layers from `max_window_layers` on. */
export function qwenWindows(c: ConfigReader, layers: number): number[] {
  const window = c.bool("use_sliding_window", false) ? slidingWindow(c) : null;
  const first = c.int("max_window_layers", 28);
  const types = c.list("layer_types");
  if (types === null) return Array.from({ length: layers }, (_, layer) => (layer >= first ? (window ?? 0) : 0));
  const known = window === null ? ["full_attention"] : ["full_attention", "sliding_attention"];
  if (types.length !== layers || !types.every((type) => known.includes(type as string))) {
    const switched = window === null ? ' ("use_sliding_window" is not true)' : "";
    throw c.wrong("layer_types", types, `a list of ${layers}, each ${known.join(" or ")}${switched}`);
  }
  return types.map((type) => (type === "sliding_attention" ? window! : 0));
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
  keys: llamaKeys,
  config(c) {
    const shared = llamaConfig(c, { ...qwenDefaults, headDim: null });
    return { ...shared, qkvBias: true, windows: qwenWindows(c, shared.layers) };
  },
  heads: decoderHeads({
    className: "Qwen2",
    path: "model",
    spanPath: "transformer",
    tokenHead: "score",
    build: buildLlama,
  }),
});
