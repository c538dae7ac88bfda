/** Sizes of real networks for the bench, as their published configs give them. */
const llamaLike = (sizes) => ({ model_type: "llama", rms_norm_eps: 1e-5, ...sizes });
const mt5 = (sizes) => ({
  model_type: "mt5",
  architectures: ["MT5ForConditionalGeneration"],
  vocab_size: 250112,
  d_kv: 64,
  feed_forward_proj: "gated-gelu",
  tie_word_embeddings: false,
  decoder_start_token_id: 0,
  ...sizes,
});

/** By name. Of an encoder-decoder, source and target have `tokens` each. */
export const shapes = {
  "gpt2-124m": {
    config: { model_type: "gpt2", vocab_size: 50257, n_positions: 1024, n_embd: 768, n_layer: 12, n_head: 12 },
    tokens: 256,
    batch: 4,
  },
  "llama-15m": {
    config: llamaLike({
      vocab_size: 32000,
      hidden_size: 288,
      intermediate_size: 768,
      num_hidden_layers: 6,
      num_attention_heads: 6,
      num_key_value_heads: 6,
      max_position_embeddings: 1024,
      tie_word_embeddings: true,
    }),
    tokens: 256,
    batch: 4,
  },
  "llama-260k": {
    config: llamaLike({
      vocab_size: 512,
      hidden_size: 64,
      intermediate_size: 172,
      num_hidden_layers: 5,
      num_attention_heads: 8,
      num_key_value_heads: 4,
      max_position_embeddings: 512,
      tie_word_embeddings: true,
    }),
    tokens: 256,
    batch: 8,
  },
  tiny: {
    config: llamaLike({
      vocab_size: 1024,
      hidden_size: 256,
      intermediate_size: 1024,
      num_hidden_layers: 4,
      num_attention_heads: 4,
      num_key_value_heads: 4,
      max_position_embeddings: 512,
      tie_word_embeddings: false,
    }),
    tokens: 128,
    batch: 4,
  },
  "llama-1b": {
    config: llamaLike({
      vocab_size: 128256,
      hidden_size: 2048,
      intermediate_size: 8192,
      num_hidden_layers: 16,
      num_attention_heads: 32,
      num_key_value_heads: 8,
      head_dim: 64,
      rope_theta: 500000,
      max_position_embeddings: 8192,
      tie_word_embeddings: true,
    }),
    tokens: 128,
    batch: 1,
  },
  minilm: {
    config: {
      model_type: "bert",
      architectures: ["BertModel"],
      vocab_size: 30522,
      hidden_size: 384,
      intermediate_size: 1536,
      num_hidden_layers: 6,
      num_attention_heads: 12,
      max_position_embeddings: 512,
      type_vocab_size: 2,
    },
    tokens: 64,
    batch: 8,
  },
  "mt5-small": { config: mt5({ d_model: 512, d_ff: 1024, num_layers: 8, num_heads: 6 }), tokens: 128, batch: 1 },
  "mt0-large": { config: mt5({ d_model: 1024, d_ff: 2816, num_layers: 24, num_heads: 16 }), tokens: 128, batch: 1 },
};
