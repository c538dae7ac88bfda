/** For each architecture, configs small enough to run in milliseconds that between them take every branch of its file. */
import type { RawConfig } from "../../src/nn/config.ts";

const llama = {
  hidden_size: 24,
  intermediate_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 53,
  max_position_embeddings: 32,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  initializer_range: 0.2,
};

const gpt2 = {
  model_type: "gpt2",
  n_embd: 24,
  n_layer: 2,
  n_head: 4,
  n_positions: 32,
  vocab_size: 53,
  layer_norm_epsilon: 1e-5,
  initializer_range: 0.2,
};

/** By `model_type`, then by what is special about the config. */
export const tinyConfigs: Readonly<Record<string, Readonly<Record<string, RawConfig>>>> = {
  llama: {
    untied: { model_type: "llama", ...llama },
    "tied, biased, wide heads": {
      model_type: "llama",
      ...llama,
      tie_word_embeddings: true,
      attention_bias: true,
      mlp_bias: true,
      head_dim: 10,
    },
  },
  mistral: { "window of 3": { model_type: "mistral", ...llama, sliding_window: 3 } },
  qwen2: {
    tied: { model_type: "qwen2", ...llama, tie_word_embeddings: true },
    "window on the second layer": {
      model_type: "qwen2",
      ...llama,
      use_sliding_window: true,
      sliding_window: 3,
      max_window_layers: 1,
    },
  },
  qwen3: { "wide heads": { model_type: "qwen3", ...llama, head_dim: 10 } },
  gpt2: {
    tied: gpt2,
    "untied, erf, scaled by layer": {
      ...gpt2,
      tie_word_embeddings: false,
      activation_function: "gelu",
      scale_attn_by_inverse_layer_idx: true,
      n_inner: 40,
    },
  },
};
