/** A model small enough to train in milliseconds, and examples for it. */
import { getPeftModel, type PeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSequenceClassification } from "../../src/auto/auto-classes.ts";
import { Philox } from "../../src/core/random/philox.ts";
import { lora } from "../../src/methods/lora.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import type { SequenceClassifier } from "../../src/nn/tasks/classifier.ts";
import { saveModel } from "../../src/nn/tensors/save-model.ts";
import type { TrainingExample } from "../../src/train/check-examples.ts";
import { fullTraining, type Trainable } from "../../src/train/trainable.ts";
import { createEngine } from "../../src/wasm/engine.ts";

export const tinyConfig = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 32,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  initializer_range: 0.2,
};

/** All weights trainable, from the same random numbers each time. */
export async function tinyModel(): Promise<Trainable> {
  const base = await tinyLlama();
  return fullTraining(base, (target) => saveModel(base, target));
}

/** The same model before anything is trainable, to adapt. */
export async function tinyLlama(): Promise<CausalLM> {
  const engine = await createEngine({ build: "baseline" });
  return AutoModelForCausalLM.fromConfig(tinyConfig, { engine, seed: 1 });
}

/** Random tokens in sequences of 4 to 12. */
export function examples(count: number, seed = 7): TrainingExample[] {
  const random = new Philox(seed);
  return Array.from({ length: count }, (_, i) => {
    const inputIds = Int32Array.from({ length: 4 + random.below(9) }, () => random.below(32));
    const labels = inputIds.map((id, t) => (t % 5 === 3 ? -100 : id));
    return { inputIds, labels, where: `tiny.jsonl:${i + 1}` };
  });
}

/** A copy of every trained value. */
export function valuesOf(model: Trainable): Map<string, Float32Array> {
  return new Map(Array.from(model.namedTrainable(), ([name, param]) => [name, param.values().slice()]));
}

/** GPT-2 with dropout in every block, so that the state of the generator matters. `seed` decides its weights. */
export async function tinyDropoutModel(seed = 1): Promise<Trainable> {
  const engine = await createEngine({ build: "baseline" });
  const model = await AutoModelForCausalLM.fromConfig(gpt2Config, { engine, seed });
  return fullTraining(model, (target) => saveModel(model, target));
}

const gpt2Config = {
  architectures: ["GPT2LMHeadModel"],
  model_type: "gpt2",
  n_embd: 16,
  n_layer: 2,
  n_head: 2,
  n_positions: 64,
  vocab_size: 32,
  layer_norm_epsilon: 1e-5,
  activation_function: "gelu_new",
  resid_pdrop: 0.2,
  embd_pdrop: 0.2,
  attn_pdrop: 0,
  initializer_range: 0.2,
};

/** A classifier of three classes with LoRA, and its base. */
export async function tinyClassifier(): Promise<PeftModel<SequenceClassifier>> {
  const engine = await createEngine({ build: "baseline" });
  const config = { ...tinyConfig, id2label: { 0: "a", 1: "b", 2: "c" }, pad_token_id: 0 };
  const base = await AutoModelForSequenceClassification.fromConfig(config, { engine, seed: 1 });
  return getPeftModel(base, lora({ r: 4, taskType: "SEQ_CLS", targetModules: "all-linear" }), { seed: 2 });
}

/** Sequences whose first token decides their class, with a group for each pair. */
export function labelledExamples(count: number, seed = 5): (TrainingExample & { group: string })[] {
  const random = new Philox(seed);
  return Array.from({ length: count }, (_, i) => {
    const inputIds = Int32Array.from({ length: 3 + random.below(6) }, () => 3 + random.below(29));
    inputIds[0] = random.below(3);
    return { inputIds, labels: Int32Array.of(inputIds[0]!), group: `pair ${i % Math.ceil(count / 2)}` };
  });
}
