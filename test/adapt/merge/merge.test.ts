import { expect, test } from "vitest";
import { getPeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForSeq2SeqLM } from "../../../src/auto/auto-classes.ts";
import { UnsupportedError } from "../../../src/core/errors.ts";
import { lora } from "../../../src/methods/lora.ts";

const t5 = {
  model_type: "t5",
  vocab_size: 23,
  d_model: 16,
  d_kv: 8,
  d_ff: 24,
  num_layers: 1,
  num_heads: 2,
  decoder_start_token_id: 0,
};

test("a copy of T5's tied head is not merged, since an untied head is fed otherwise", async () => {
  const base = await AutoModelForSeq2SeqLM.fromConfig(t5);
  const model = getPeftModel(base, lora({ modulesToSave: ["lm_head"] }), { onWarning: () => {} });
  expect(() => model.mergeAndUnload()).toThrow(UnsupportedError);
});
