/** A model that is spread over several memories computes, bit for bit, what it does in one. */
import { describe, expect, test } from "vitest";
import type { MethodConfig } from "../../../src/adapt/method/define-method.ts";
import { getPeftModel } from "../../../src/adapt/peft-model.ts";
import { modelFromConfig } from "../../../src/auto/auto-model.ts";
import type { Task } from "../../../src/core/task.ts";
import { adalora } from "../../../src/methods/adalora.ts";
import { adaptionPrompt } from "../../../src/methods/adaption_prompt.ts";
import { bitfit } from "../../../src/methods/bitfit.ts";
import { bottleneck } from "../../../src/methods/bottleneck.ts";
import { ia3 } from "../../../src/methods/ia3.ts";
import { lnTuning } from "../../../src/methods/ln_tuning.ts";
import { loha } from "../../../src/methods/loha.ts";
import { lokr } from "../../../src/methods/lokr.ts";
import { lora } from "../../../src/methods/lora.ts";
import { multitaskPromptTuning } from "../../../src/methods/multitask_prompt_tuning.ts";
import { oft } from "../../../src/methods/oft.ts";
import { pTuning } from "../../../src/methods/p_tuning.ts";
import { prefixTuning } from "../../../src/methods/prefix_tuning.ts";
import { promptTuning } from "../../../src/methods/prompt_tuning.ts";
import { trainableTokens } from "../../../src/methods/trainable_tokens.ts";
import { vera } from "../../../src/methods/vera.ts";
import type { RawConfig } from "../../../src/nn/config.ts";
import { pixelInput } from "../../../src/nn/pass/pixels.ts";
import type { Model } from "../../../src/nn/tasks/model.ts";
import type { KeptWeights } from "../../../src/nn/tensors/kept-dtype.ts";
import type { TrainingArguments } from "../../../src/train/arguments.ts";
import type { TrainingExample } from "../../../src/train/check-examples.ts";
import { planMemory } from "../../../src/train/memory-plan.ts";
import { fullTraining, type Trainable } from "../../../src/train/trainable.ts";
import { Trainer } from "../../../src/train/trainer.ts";
import { createEngine, type Engine } from "../../../src/wasm/engine.ts";

const llama: RawConfig = {
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 200,
  max_position_embeddings: 128,
};
const gpt2: RawConfig = { model_type: "gpt2", n_embd: 64, n_layer: 4, n_head: 4, n_positions: 128, vocab_size: 200 };
const t5: RawConfig = {
  model_type: "t5",
  d_model: 64,
  d_kv: 16,
  d_ff: 96,
  num_layers: 3,
  num_heads: 4,
  vocab_size: 200,
  decoder_start_token_id: 0,
};
const bert: RawConfig = {
  model_type: "bert",
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  vocab_size: 200,
  max_position_embeddings: 128,
};
const vit: RawConfig = {
  model_type: "vit",
  image_size: 32,
  patch_size: 8,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 3,
  num_attention_heads: 4,
};

const ids = (length: number, first = 0) => Int32Array.from({ length }, (_, i) => (first + 7 * i) % 200);
const texts = [18, 5, 11].map((n, i): TrainingExample => ({ inputIds: ids(n, i), labels: ids(n, i) }));
const pairs = [17, 6, 9].map((n, i): TrainingExample => ({ inputIds: ids(n, i), labels: ids(n - 3, i + 1) }));
const classed = [17, 6, 9].map((n, i): TrainingExample => ({ inputIds: ids(n, i), labels: Int32Array.of(i % 2) }));
const images = [0, 1].map((label): TrainingExample => {
  const pixels = Float32Array.from({ length: 3 * 32 * 32 }, (_, i) => Math.sin(i * (label + 1)));
  return { inputIds: new Int32Array(), labels: Int32Array.of(label), inputs: [pixelInput(pixels)] };
});

interface Case {
  readonly config: RawConfig;
  readonly task?: Task;
  readonly examples: readonly TrainingExample[];
  /** Null trains every weight. */
  readonly method: MethodConfig | null;
  readonly weights?: KeptWeights;
  readonly threads?: number;
  readonly args?: TrainingArguments;
}

const cases: Record<string, Case> = {
  "LoRA on Llama": { config: llama, examples: texts, method: lora({ r: 4 }) },
  "LoRA with two threads": { config: llama, examples: texts, method: lora({ r: 4 }), threads: 2 },
  "LoRA on int8 with a tied head": {
    ...{ config: { ...llama, tie_word_embeddings: true }, examples: texts, method: lora({ r: 4 }) },
    ...{ weights: "int8", threads: 2 },
  },
  "LoRA on nf4": { config: llama, examples: texts, method: lora({ r: 4 }), weights: "nf4" },
  "LoRA with dropout on T5": { config: t5, examples: pairs, method: lora({ r: 4, loraDropout: 0.1 }) },
  "LoRA with gradient checkpointing": {
    ...{ config: gpt2, examples: texts, method: lora({ r: 4, loraDropout: 0.1 }) },
    args: { gradientCheckpointing: true },
  },
  "LoRA with gradient checkpointing on T5": {
    ...{ config: t5, examples: pairs, method: lora({ r: 4, targetModules: "all-linear" }), weights: "bf16" },
    args: { gradientCheckpointing: true },
  },
  DoRA: { config: llama, examples: texts, method: lora({ r: 4, useDora: true }) },
  PiSSA: { config: llama, examples: texts, method: lora({ r: 4, initLoraWeights: "pissa" }) },
  "LoRA on the embedding and the head": {
    config: llama,
    examples: texts,
    method: lora({ r: 4, targetModules: ["embed_tokens", "lm_head", "q_proj"] }),
  },
  "prompt tuning": { config: gpt2, examples: texts, method: promptTuning({ numVirtualTokens: 3 }) },
  "prefix tuning": { config: llama, examples: texts, method: prefixTuning({ numVirtualTokens: 3 }) },
  "prefix tuning on T5": { config: t5, examples: pairs, method: prefixTuning({ numVirtualTokens: 3 }) },
  "p-tuning": { config: gpt2, examples: texts, method: pTuning({ numVirtualTokens: 3, encoderHiddenSize: 32 }) },
  "multitask prompt tuning": {
    config: t5,
    examples: pairs,
    method: multitaskPromptTuning({ numVirtualTokens: 3, numTasks: 2, numRanks: 2 }),
  },
  "LLaMA-Adapter": { config: llama, examples: texts, method: adaptionPrompt({ adapterLen: 3, adapterLayers: 3 }) },
  AdaLoRA: { config: llama, examples: texts, method: adalora({ totalStep: 10, tinit: 1, tfinal: 1 }) },
  IA3: { config: t5, examples: pairs, method: ia3({}) },
  LoHa: { config: llama, examples: texts, method: loha({ r: 4 }) },
  LoKr: { config: llama, examples: texts, method: lokr({ r: 4 }) },
  OFT: { config: llama, examples: texts, method: oft({ oftBlockSize: 8 }) },
  VeRA: { config: llama, examples: texts, method: vera({ r: 16 }) },
  "trainable tokens": { config: llama, examples: texts, method: trainableTokens({ tokenIndices: [7, 14] }) },
  "bottleneck adapters on BERT": { config: bert, task: "SEQ_CLS", examples: classed, method: bottleneck({}) },
  "BitFit on BERT": { config: bert, task: "SEQ_CLS", examples: classed, method: bitfit({}) },
  "layer norms of T5": { config: t5, examples: pairs, method: lnTuning({}) },
  "LoRA on images": {
    ...{ config: vit, task: "IMAGE_CLS", examples: images },
    method: lora({ r: 4, targetModules: ["query", "value"], modulesToSave: ["classifier"] }),
  },
  "every weight with AdamW": { config: llama, examples: texts, method: null },
  "every weight with AdamW in 8 bits": { config: gpt2, examples: texts, method: null, args: { optim: "adamw8bit" } },
  "every weight of T5 with Adafactor": {
    ...{ config: t5, examples: pairs, method: null, threads: 2, args: { optim: "adafactor" } },
  },
};

async function modelOf({ config, task, method, weights = "f32" }: Case, engine: Engine): Promise<Trainable> {
  const made = { engine, seed: 3, ...(method !== null && { weights }) };
  const base = (await modelFromConfig(config, task ?? null, made)) as Model;
  return method === null ? fullTraining(base, async () => {}) : getPeftModel(base, method, { onWarning: () => {} });
}

/** The losses of three steps, the numbers that were trained, and what is in each memory. */
async function trained(each: Case, memories: number) {
  const { threads = 1, examples, args } = each;
  const options = { build: "baseline", threads, memories } as const;
  const settings = { maxSteps: 3, perDeviceTrainBatchSize: 2, learningRate: 1e-2, loggingSteps: 1, ...args };
  const measuring = await createEngine({ ...options, measuring: true });
  const planned = planMemory(await modelOf(each, measuring), examples, settings);
  using engine = await createEngine(options);
  const model = await modelOf(each, engine);
  expect(planMemory(model, examples, settings), "planned without memory").toEqual(planned);
  const losses: number[] = [];
  const trainDataset = [...examples];
  const trainer = new Trainer({ model, args: settings, trainDataset, onProgress: ({ loss }) => losses.push(loss!) });
  await trainer.train();
  const params = new Map(Array.from(model.namedTrainable(), ([name, param]) => [name, param.values().slice()]));
  return { losses, params, planned, trainer: trainer.memory(), each: engine.memory.each };
}

describe.each(Object.entries(cases))("%s", (_, each) => {
  test.each([2, 3])("over %i memories", async (memories) => {
    const one = await trained(each, 1);
    const several = await trained(each, memories);
    expect(one.losses).toHaveLength(3);
    expect(several.losses).toEqual(one.losses);
    expect(several.params).toEqual(one.params);
    expect(several.each).toHaveLength(memories);
    several.each.forEach(({ peakBytes }, i) => {
      expect(several.planned.memories[i]! / (peakBytes + 65536), `memory ${i}`).toBeCloseTo(1, 1);
    });
  });
});
