/** The published example of PEFT's own README, counted from a config alone. */
import { expect, test } from "vitest";
import { describeAdapter, describeConfig } from "../../src/adapt/describe.ts";
import { trainableLine } from "../../src/adapt/trainable-line.ts";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { describeModel } from "../../src/auto/auto-model.ts";
import { lora } from "../../src/methods/lora.ts";

const mt0Large = {
  architectures: ["MT5ForConditionalGeneration"],
  d_ff: 2816,
  d_kv: 64,
  d_model: 1024,
  decoder_start_token_id: 0,
  dropout_rate: 0.1,
  eos_token_id: 1,
  feed_forward_proj: "gated-gelu",
  initializer_factor: 1.0,
  is_encoder_decoder: true,
  layer_norm_epsilon: 1e-6,
  model_type: "mt5",
  num_decoder_layers: 24,
  num_heads: 16,
  num_layers: 24,
  pad_token_id: 0,
  relative_attention_num_buckets: 32,
  tie_word_embeddings: false,
  tokenizer_class: "T5Tokenizer",
  vocab_size: 250112,
};
const LINE = "trainable params: 2359296 || all params: 1231940608 || trainable%: 0.19151053100118282";

test("LoRA on mt0-large counts what PEFT prints, to the last digit, with nothing loaded", async () => {
  const config = lora({ taskType: "SEQ_2_SEQ_LM", inferenceMode: false, r: 8, loraAlpha: 32, loraDropout: 0.1 });
  const { trainable, all, tensors } = describeConfig(await describeModel(mt0Large), config, expect.fail);
  expect(trainableLine(trainable, all)).toBe(LINE);
  expect(trainableLine(trainable, all, "grouped")).toBe(
    "trainable params: 2,359,296 || all params: 1,231,940,608 || trainable%: 0.1915",
  );
  expect(tensors).toHaveLength(24 * 2 * 2 + 24 * 2 * 2 * 2);
});

test("the same from an adapter_config.json", async () => {
  const json = { peft_type: "LORA", task_type: "SEQ_2_SEQ_LM", r: 8, lora_alpha: 32, lora_dropout: 0.1 };
  const { trainable, all } = await describeAdapter(await describeModel(mt0Large), json, expect.fail);
  expect(trainableLine(trainable, all)).toBe(LINE);
});

test("the class for decoders alone names the one for encoder-decoders", async () => {
  await expect(AutoModelForCausalLM.fromConfig(mt0Large)).rejects.toThrow(/AutoModelForSeq2SeqLM/);
});
