/** The distinct linear layers of a network: [in, out], and whether the weight is stored [in, out]. */
export function layers(config) {
  if (config.model_type === "gpt2") {
    const d = config.n_embd;
    return {
      stored: "in-out",
      widths: [
        [d, d],
        [d, 3 * d],
        [d, 4 * d],
        [4 * d, d],
      ],
    };
  }
  const { hidden_size: d, intermediate_size: inner, num_attention_heads: heads, num_key_value_heads: kv } = config;
  const keys = (d / heads) * kv;
  return {
    stored: "out-in",
    widths: [[d, d], ...(keys < d ? [[d, keys]] : []), [d, inner], [inner, d], [d, Math.min(config.vocab_size, 4096)]],
  };
}
