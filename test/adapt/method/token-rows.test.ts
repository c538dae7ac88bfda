/** T5's table of tokens, which both stacks share: what PEFT does with adapters that name it. */
import { expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForSeq2SeqLM } from "../../../src/auto/auto-classes.ts";
import { openSafetensors } from "../../../src/checkpoint/safetensors.ts";
import { mapSource } from "../../../src/checkpoint/source.ts";
import { lora } from "../../../src/methods/lora.ts";
import { trainableTokens } from "../../../src/methods/trainable_tokens.ts";
import type { Model } from "../../../src/nn/tasks/model.ts";

const config = {
  ...{ model_type: "t5", vocab_size: 23, d_model: 16, d_kv: 8, d_ff: 24, num_layers: 1, num_heads: 2 },
  decoder_start_token_id: 0,
};
const base = () => AutoModelForSeq2SeqLM.fromConfig(config);

async function warningsOf(chosen: Parameters<typeof getPeftModel<Model>>[1]): Promise<string> {
  const warnings: string[] = [];
  getPeftModel(await base(), chosen, { onWarning: (message) => warnings.push(message) });
  return warnings.join("\n");
}

test("trained tokens are saved under every name that PEFT gives the table, and load from such a file", async () => {
  const model = getPeftModel(await base(), trainableTokens({ tokenIndices: [5, 6] }));
  const files = new Map<string, Uint8Array>();
  await model.savePretrained(files);
  const { tensors } = await openSafetensors(mapSource(files), "adapter_model.safetensors");
  const tables = ["decoder.embed_tokens", "encoder.embed_tokens", "lm_head", "shared"];
  expect([...tensors.keys()].sort()).toEqual(tables.map((name) => `base_model.model.${name}.trainable_tokens_delta`));
  const again = await PeftModel.fromPretrained(await base(), files);
  expect(again.activeAdapters).toEqual(["default"]);
});

test("what PEFT would not run is a warning that names it; what it carries over is none", async () => {
  const told = /changes "shared", the table of both stacks. PEFT wraps that module alone/;
  expect(await warningsOf(lora({ targetModules: ["shared", "q"] }))).toMatch(told);
  expect(await warningsOf(lora({ targetModules: ["q"], modulesToSave: ["shared"] }))).toMatch(told);
  expect(await warningsOf(trainableTokens({ tokenIndices: [5], targetModules: ["shared"] }))).not.toMatch(told);
  expect(await warningsOf(lora({ targetModules: ["q"], trainableTokenIndices: [5] }))).not.toMatch(told);
});
