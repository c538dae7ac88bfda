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

const t5 = {
  d_model: 24,
  d_kv: 6,
  d_ff: 40,
  num_layers: 2,
  num_heads: 4,
  vocab_size: 53,
  relative_attention_num_buckets: 8,
  relative_attention_max_distance: 10,
  layer_norm_epsilon: 1e-5,
  decoder_start_token_id: 0,
  pad_token_id: 0,
  eos_token_id: 1,
  num_labels: 3,
  initializer_range: 0.2,
};

/** The same for encoder-decoders. */
export const tinyEncoderDecoders: Readonly<Record<string, Readonly<Record<string, RawConfig>>>> = {
  t5: {
    // Differences along a gradient need activations without a kink: relu is compared with torch only.
    "gelu, tied, a decoder of three layers": {
      model_type: "t5",
      ...t5,
      feed_forward_proj: "gelu",
      num_decoder_layers: 3,
    },
    "gated silu, untied, wide heads": {
      model_type: "t5",
      ...t5,
      feed_forward_proj: "gated-silu",
      tie_word_embeddings: false,
      d_kv: 10,
    },
    "gated tanh": { model_type: "t5", ...t5, feed_forward_proj: "gated-tanh" },
  },
  mt5: { "gated gelu, untied": { model_type: "mt5", ...t5 } },
};
