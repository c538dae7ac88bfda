/** Encoders small enough to run in milliseconds; between them the configs take every branch of their files. */
import type { RawConfig } from "../../src/nn/config.ts";

const bert = {
  vocab_size: 53,
  hidden_size: 24,
  intermediate_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 32,
  initializer_range: 0.2,
  id2label: { "0": "no", "1": "perhaps", "2": "yes" },
};

const roberta = { ...bert, max_position_embeddings: 34, pad_token_id: 1, type_vocab_size: 1 };

const distilbert = {
  model_type: "distilbert",
  vocab_size: 53,
  dim: 24,
  hidden_dim: 40,
  n_layers: 2,
  n_heads: 4,
  max_position_embeddings: 32,
  initializer_range: 0.2,
  id2label: { "0": "no", "1": "perhaps", "2": "yes" },
};

const vit = {
  model_type: "vit",
  image_size: 12,
  patch_size: 4,
  hidden_size: 24,
  intermediate_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  initializer_range: 0.2,
  id2label: { "0": "cat", "1": "bird" },
};

/** By `model_type`, then by what is special about the config. */
export const encoderConfigs: Readonly<Record<string, Readonly<Record<string, RawConfig>>>> = {
  bert: {
    plain: { model_type: "bert", ...bert },
    "decoder, relu, loose norms": {
      model_type: "bert",
      ...bert,
      is_decoder: true,
      hidden_act: "relu",
      layer_norm_eps: 1e-3,
    },
    "untied decoder, tanh form": {
      model_type: "bert",
      ...bert,
      is_decoder: true,
      tie_word_embeddings: false,
      hidden_act: "gelu_new",
    },
  },
  roberta: { plain: { model_type: "roberta", ...roberta } },
  "xlm-roberta": { silu: { model_type: "xlm-roberta", ...roberta, hidden_act: "silu" } },
  distilbert: { plain: distilbert, relu: { ...distilbert, activation: "relu" } },
  vit: {
    square: vit,
    "flat, gray, odd patches": {
      ...vit,
      image_size: [9, 14],
      patch_size: [3, 5],
      num_channels: 1,
      qkv_bias: false,
      pooler_output_size: 7,
      pooler_act: "relu",
    },
  },
};
