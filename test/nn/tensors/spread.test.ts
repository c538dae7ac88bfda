/** A model that is spread over several memories computes, bit for bit, what it does in one. */
import { describe, expect, test } from "vitest";
import type { MethodConfig } from "../../../src/adapt/method/define-method.ts";
import { getPeftModel, PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from "../../../src/auto/auto-classes.ts";
import { modelFromConfig } from "../../../src/auto/auto-model.ts";
import { mapSource } from "../../../src/checkpoint/source.ts";
import type { Source } from "../../../src/core/host.ts";
import type { Task } from "../../../src/core/task.ts";
import { generate } from "../../../src/generate/load-generate.ts";
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
import { ConfigReader } from "../../../src/nn/config.ts";
import { pixelInput } from "../../../src/nn/pass/pixels.ts";
import { concatenate } from "../../../src/nn/pass/sequences.ts";
import type { Model } from "../../../src/nn/tasks/model.ts";
import { randomTensors } from "../../../src/nn/tensors/fresh-tensors.ts";
import type { KeptWeights } from "../../../src/nn/tensors/kept-dtype.ts";
import { memoriesFor } from "../../../src/nn/tensors/spread.ts";
import type { TrainingArguments } from "../../../src/train/arguments.ts";
import type { TrainingExample } from "../../../src/train/check-examples.ts";
import { planMemory } from "../../../src/train/memory-plan.ts";
import { fullTraining, type Trainable } from "../../../src/train/trainable.ts";
import { Trainer } from "../../../src/train/trainer.ts";
import { createEngine, type Engine } from "../../../src/wasm/engine.ts";
import { expectNothingKept } from "../../failing-loads.ts";
import { sampled } from "../../matrix.ts";

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

/** Weights in integers, an encoder-decoder with dropout, blocks that run twice, prompts before all layers, every weight. */
const KINDS = [
  ...["LoRA with dropout on T5", "LoRA with gradient checkpointing", "LoRA on nf4", "prefix tuning", "VeRA"],
  ...["bottleneck adapters on BERT", "every weight of T5 with Adafactor"],
];

describe.each(sampled(Object.keys(cases), KINDS))("%s", (name) => {
  const each = cases[name]!;

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

describe.each([1, 2])("with %i threads", (threads) => {
  const make = (memories: number) => createEngine({ build: "baseline", threads, memories });
  const greedy = { maxNewTokens: 8, temperature: 0, eosTokenId: null };

  async function written(memories: number) {
    using engine = await make(memories);
    const base = await AutoModelForCausalLM.fromConfig(llama, { engine, seed: 3, weights: "bf16" });
    const model = getPeftModel(base, prefixTuning({ numVirtualTokens: 3 }));
    const one = await generate(model, [3, 5, 2, 6], greedy);
    model.addAdapter("second", lora({ r: 4, initLoraWeights: false }));
    model.setAdapter("second");
    const beams = await generate(model, [3, 5, 2, 6], { maxNewTokens: 8, numBeams: 3, eosTokenId: null });
    const logits = model.forward(concatenate([[3, 5, 2], [7]]));
    base.dispose();
    expect(engine.memory.usedBytes, "nothing is left").toBe(engine.arenaBytes);
    return { one, beams, logits };
  }
  test("what a decoder writes is the same, with a cache, a prefix and beams", async () => {
    const one = await written(1);
    expect(one.one).toHaveLength(8);
    for (const memories of [2, 3]) expect(await written(memories)).toEqual(one);
  });

  async function translated(memories: number) {
    using engine = await make(memories);
    const model = await AutoModelForSeq2SeqLM.fromConfig(t5, { engine, seed: 3, weights: "int8" });
    const one = await generate(model, [3, 5, 2, 6], greedy);
    const beams = await generate(model, [3, 5, 2, 6], { maxNewTokens: 8, numBeams: 3, eosTokenId: null });
    return { one, beams };
  }
  test("what an encoder-decoder writes is the same", async () => {
    const one = await translated(1);
    expect(one.one.length).toBeGreaterThan(1);
    for (const memories of [2, 3]) expect(await translated(memories)).toEqual(one);
  });

  async function saved(memories: number) {
    using engine = await make(memories);
    const base = await AutoModelForCausalLM.fromConfig(llama, { engine, seed: 3, weights: "f32" });
    const model = getPeftModel(base, lora({ r: 4, useDora: true, initLoraWeights: false, modulesToSave: ["lm_head"] }));
    const [folder, merged]: [Files, Files] = [new Map(), new Map()];
    await model.savePretrained(folder);
    await model.mergeAndUnload().savePretrained(merged);
    return { folder, merged };
  }
  test("adapters and models are saved, loaded and merged as in one memory", async () => {
    const one = await saved(1);
    const two = await saved(2);
    expect(two).toEqual(one);
    using engine = await make(3);
    const warnings: string[] = [];
    const base = await AutoModelForCausalLM.fromPretrained(one.merged, { engine });
    const model = await PeftModel.fromPretrained(base, one.folder, { onWarning: (text) => warnings.push(text) });
    using other = await make(1);
    const same = await AutoModelForCausalLM.fromPretrained(one.merged, { engine: other });
    const adapted = await PeftModel.fromPretrained(same, one.folder, { onWarning: () => {} });
    expect(model.forward(concatenate([[3, 5, 2]]))).toEqual(adapted.forward(concatenate([[3, 5, 2]])));
    expect(warnings).toEqual([]);
  });
});

type Files = Map<string, Uint8Array>;

test("activations in bf16 are refused by name where a model is in several memories", async () => {
  using engine = await createEngine({ build: "baseline", threads: 1, memories: 2 });
  const model = await modelOf({ config: llama, examples: texts, method: lora({ r: 4 }) }, engine);
  const trainer = new Trainer({ model, args: { maxSteps: 1, activations: "bf16" }, trainDataset: texts });
  await expect(trainer.train()).rejects.toThrow(
    'activations "bf16" are not possible with a model in several memories; use "f32", or one memory',
  );
});

test("a load that fails frees what it had in all memories", async () => {
  const files: Files = new Map();
  using one = await createEngine({ build: "baseline", threads: 1 });
  await (await AutoModelForCausalLM.fromConfig(gpt2, { engine: one, weights: "f32" })).savePretrained(files);
  using engine = await createEngine({ build: "baseline", threads: 1, memories: 3 });
  const load = (source: Source) => AutoModelForCausalLM.fromPretrained(source, { engine });
  await expectNothingKept(engine, files, load);
  using _model = await load(mapSource(files));
  const each = engine.memory.each.map(({ usedBytes }) => usedBytes);
  expect(Math.min(...each), "all of them are in use").toBeGreaterThan(0.2 * engine.memory.usedBytes);
});

test("a tensor that has no place in its memory is refused by name, and nothing is kept", async () => {
  using engine = await createEngine({ build: "baseline", threads: 1, memories: 2, maxBytes: 2e5 });
  const made = AutoModelForCausalLM.fromConfig(llama, { engine, weights: "f32" });
  await expect(made).rejects.toThrow(
    /^memory: "model\.layers\.\d.* needs .* more, but .* of at most 200 kB are in use$/,
  );
  expect(engine.memory.usedBytes).toBe(0);
});

describe("the number of memories", () => {
  const hidden = { ...llama, hidden_size: 3072, intermediate_size: 8192, vocab_size: 128256 };
  const large = { ...hidden, num_attention_heads: 24, num_key_value_heads: 8, num_hidden_layers: 28, head_dim: 128 };
  const countFor = async (config: RawConfig, weights: KeptWeights) => {
    const { llama: definition } = await import("../../../src/models/llama.ts");
    const start = { seed: 0, std: 0.02, weights, stored: "bf16" } as const;
    return memoriesFor(
      (engine) => randomTensors(engine, start),
      (w, engine) =>
        definition.heads.languageModel!.build(definition.config(new ConfigReader(config, "config")), w, engine),
    );
  };
  test("is what leaves a quarter of each for the rest", async () => {
    expect(await countFor(llama, "stored")).toBe(1);
    expect(await countFor({ ...large, tie_word_embeddings: true }, "stored")).toBe(3);
    expect(await countFor({ ...large, tie_word_embeddings: true }, "nf4")).toBe(1);
    expect(await countFor(large, "stored")).toBe(3);
    expect(await countFor(large, "f32")).toBe(5);
  });

  test("is asked of a function that opens the engine, which belongs to the model", async () => {
    const files: Files = new Map();
    using one = await createEngine({ build: "baseline", threads: 1 });
    await (await AutoModelForCausalLM.fromConfig(gpt2, { engine: one, weights: "f32" })).savePretrained(files);
    const asked: number[] = [];
    const open = (memories: number) => {
      asked.push(memories);
      return createEngine({ build: "baseline", threads: 1, memories: memories + 1 });
    };
    const model = await AutoModelForCausalLM.fromPretrained(files, { engine: open });
    expect(asked).toEqual([1]);
    expect(model.engine.memory.each).toHaveLength(2);
    const { engine } = model;
    model.dispose();
    expect(engine.disposed).toBe(true);
  });
});
