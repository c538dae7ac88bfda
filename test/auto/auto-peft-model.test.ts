import { expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSequenceClassification } from "../../src/auto/auto-classes.ts";
import { AutoConfig } from "../../src/auto/auto-config.ts";
import {
  AutoPeftModel,
  AutoPeftModelForCausalLM,
  AutoPeftModelForSequenceClassification,
} from "../../src/auto/auto-peft-classes.ts";
import { lora } from "../../src/methods/lora.ts";
import { concatenate } from "../../src/nn/pass/sequences.ts";

const llama = {
  ...{ model_type: "llama", hidden_size: 16, intermediate_size: 24, num_hidden_layers: 1, num_attention_heads: 2 },
  ...{ vocab_size: 32, max_position_embeddings: 32, pad_token_id: 0 },
};
const named = (...names: string[]) => ({ ...llama, id2label: Object.fromEntries(names.entries()) });
const batch = concatenate([[1, 5, 9]]);
const quiet = { onWarning: () => {} };

/** A base in memory that was written by a model of this config. */
async function savedBase(config: object): Promise<Map<string, Uint8Array>> {
  using model = await AutoModelForSequenceClassification.fromConfig(config as never, { seed: 3 });
  const files = new Map<string, Uint8Array>();
  await model.savePretrained(files);
  return files;
}

/** The files of an adapter with a head for these labels, and what its model computes. */
async function savedAdapter(base: Map<string, Uint8Array>, names: string[], seed = 1) {
  const config = { id2label: Object.fromEntries(names.entries()) };
  using model = await AutoModelForSequenceClassification.fromPretrained(base, {
    ...{ config, ignoreMismatchedSizes: true, seed },
    ...quiet,
  });
  const peft = getPeftModel(model, lora({ r: 2, taskType: "SEQ_CLS", initLoraWeights: false }));
  const files = new Map<string, Uint8Array>();
  await peft.savePretrained(files);
  return { files, logits: peft.forward(batch) };
}

const jsonOf = (files: Map<string, Uint8Array>, file: string) => JSON.parse(new TextDecoder().decode(files.get(file)));
const withBase = (files: Map<string, Uint8Array>, changes: object) => {
  const config = { ...jsonOf(files, "adapter_config.json"), ...changes };
  return new Map(files).set("adapter_config.json", new TextEncoder().encode(JSON.stringify(config)));
};

test("an adapter brings its task, its head and its labels to the base that it names", async () => {
  const base = await savedBase(named("a", "b"));
  const { files, logits } = await savedAdapter(base, ["ham", "spam", "news"]);
  const model = await AutoPeftModelForSequenceClassification.fromPretrained(files, { base });
  expect(model.labelNames).toEqual(["ham", "spam", "news"]);
  expect(model.forward(batch)).toEqual(logits);
  model.base.dispose();
  const any = await AutoPeftModel.fromPretrained(files, { base });
  expect([any.task, any.labelNames]).toEqual(["SEQ_CLS", ["ham", "spam", "news"]]);
  any.base.dispose();
});

test("what cannot be loaded so is said with the way out", async () => {
  const base = await savedBase(named("a", "b"));
  const { files } = await savedAdapter(base, ["a", "b"]);
  await expect(AutoPeftModel.fromPretrained(files)).rejects.toThrow(/names no base .*give it as the option "base"/);
  await expect(AutoPeftModelForCausalLM.fromPretrained(files, { base })).rejects.toThrow(
    "the adapter is for SEQ_CLS, but AutoPeftModelForCausalLM loads CAUSAL_LM: use AutoPeftModelForSequenceClassification",
  );
  await expect(AutoPeftModel.fromPretrained(files, { base, is_trainable: true } as never)).rejects.toThrow(
    /"is_trainable" is not an option.*"isTrainable"/,
  );
  const elsewhere = withBase(files, { base_model_name_or_path: "./not/there" });
  await expect(AutoPeftModel.fromPretrained(elsewhere)).rejects.toThrow(/not\/there/);
});

test("an adapter without a task has that of the class that PEFT noted", async () => {
  const base = await savedBase(named("a", "b"));
  const { files } = await savedAdapter(base, ["a", "b"]);
  const auto_mapping = { base_model_class: "LlamaForSequenceClassification", parent_library: "transformers" };
  const model = await AutoPeftModel.fromPretrained(withBase(files, { task_type: null, auto_mapping }), { base });
  expect(model.task).toBe("SEQ_CLS");
  model.base.dispose();
});

test("the labels of a model are those of the head that acts, and stay with a head that is merged", async () => {
  const files = await savedBase(named("x", "y"));
  const one = await savedAdapter(files, ["ham", "spam"]);
  const two = await savedAdapter(files, ["no", "yes"], 2);
  const base = await AutoModelForSequenceClassification.fromPretrained(files);
  const model = await PeftModel.fromPretrained(base, one.files);
  expect(model.labelNames).toEqual(["ham", "spam"]);
  await model.loadAdapter(two.files, "second");
  expect(model.labelNames).toEqual(["ham", "spam"]);
  model.setAdapter("second");
  expect(base.labelNames).toEqual(["no", "yes"]);
  expect(model.disableAdapter(() => base.labelNames)).toEqual(["x", "y"]);
  const saved = new Map<string, Uint8Array>();
  await model.savePretrained(saved);
  expect(jsonOf(saved, "config.json").id2label).toEqual({ 0: "ham", 1: "spam" });
  expect(jsonOf(saved, "second/config.json").id2label).toEqual({ 0: "no", 1: "yes" });
  const merged = model.mergeAndUnload();
  expect(merged.labelNames).toEqual(["no", "yes"]);
  const whole = new Map<string, Uint8Array>();
  await merged.savePretrained(whole);
  expect(jsonOf(whole, "config.json").id2label).toEqual({ 0: "no", 1: "yes" });
  merged.dispose();
  const fresh = await AutoModelForSequenceClassification.fromPretrained(files);
  const gone = await PeftModel.fromPretrained(fresh, one.files);
  gone.dispose();
  expect(fresh.labelNames).toEqual(["x", "y"]);
  fresh.dispose();
});

test("labels that are not as many as the head's outputs are refused", async () => {
  const files = await savedBase(named("x", "y"));
  const { files: adapter } = await savedAdapter(files, ["ham", "spam"]);
  adapter.set("config.json", new TextEncoder().encode(JSON.stringify({ id2label: { 0: "ham" } })));
  using base = await AutoModelForSequenceClassification.fromPretrained(files);
  await expect(PeftModel.fromPretrained(base, adapter)).rejects.toThrow("names 1 labels, but the head has 2 outputs");
});

test("a config is read as published, and a model with adapters is not saved as one without", async () => {
  const files = await savedBase(named("x", "y"));
  const config = await AutoConfig.fromPretrained(files);
  expect(config).toMatchObject({ ...named("x", "y"), architectures: ["LlamaForSequenceClassification"] });
  await expect(
    AutoConfig.fromPretrained({ "config.json": new TextEncoder().encode('{"model_type": "nn"}') }),
  ).rejects.toThrow(/"model_type" is "nn", this version knows/);
  using model = await AutoModelForCausalLM.fromConfig(config);
  model.generationConfig = { temperature: 0.5 };
  const saved = new Map<string, Uint8Array>();
  await model.savePretrained(saved, { dtype: "bf16" });
  expect([...saved.keys()]).toEqual(["model.safetensors", "config.json", "generation_config.json"]);
  getPeftModel(model, lora({ r: 2 }));
  await expect(model.savePretrained(new Map())).rejects.toThrow(/has an adapter.*mergeAndUnload/);
});

test.each([
  [
    "an unknown option",
    () => AutoModelForCausalLM.fromConfig(llama, { sead: 1 } as never),
    /"sead" is not an option.*"seed"/,
  ],
  [
    "a wrong value",
    () => AutoModelForCausalLM.fromConfig(llama, { weights: "int3" as never }),
    /"weights" is "int3", expected/,
  ],
  ["a path for a config", () => AutoModelForCausalLM.fromConfig("llama" as never), /the config is the string "llama"/],
  [
    "torch_dtype",
    () => AutoModelForCausalLM.fromPretrained({}, { torch_dtype: "f32" } as never),
    /"torch_dtype" is not an option/,
  ],
])("%s is refused by name", async (_, call, said) => {
  await expect(call()).rejects.toThrow(said);
});
