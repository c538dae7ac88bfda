import { describe, expect, test, vi } from "vitest";
import type { MethodConfig } from "../../src/adapt/method/define-method.ts";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { modelFromConfig } from "../../src/auto/auto-model.ts";
import { StateError } from "../../src/core/errors.ts";
import type { Task } from "../../src/core/task.ts";
import { bitfit } from "../../src/methods/bitfit.ts";
import { bottleneck } from "../../src/methods/bottleneck.ts";
import { ia3 } from "../../src/methods/ia3.ts";
import { lora } from "../../src/methods/lora.ts";
import { prefixTuning } from "../../src/methods/prefix_tuning.ts";
import { vera } from "../../src/methods/vera.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import { pixelInput } from "../../src/nn/pass/pixels.ts";
import type { Model } from "../../src/nn/tasks/model.ts";
import type { KeptWeights } from "../../src/nn/tensors/kept-dtype.ts";
import type { TrainingArguments } from "../../src/train/arguments.ts";
import type { TrainingExample } from "../../src/train/check-examples.ts";
import { type MemoryPlan, planMemory } from "../../src/train/memory-plan.ts";
import { fullTraining, type Trainable } from "../../src/train/trainable.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";

const llama: RawConfig = {
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 256,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
};
const gpt2: RawConfig = { model_type: "gpt2", n_embd: 64, n_layer: 3, n_head: 4, n_positions: 128, vocab_size: 256 };
const t5: RawConfig = {
  model_type: "t5",
  d_model: 64,
  d_kv: 16,
  d_ff: 128,
  num_layers: 2,
  num_heads: 4,
  vocab_size: 256,
  decoder_start_token_id: 0,
};
const bert: RawConfig = {
  model_type: "bert",
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  vocab_size: 256,
  max_position_embeddings: 128,
};
const vit: RawConfig = {
  model_type: "vit",
  image_size: 32,
  patch_size: 8,
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 4,
};

const ids = (length: number) => Int32Array.from({ length }, (_, i) => (7 * i) % 256);
const text = (length: number): TrainingExample => ({ inputIds: ids(length), labels: ids(length) });
const pair = (source: number, target: number): TrainingExample => ({ inputIds: ids(source), labels: ids(target) });
const classed = (length: number): TrainingExample => ({ inputIds: ids(length), labels: Int32Array.of(1) });
const image = (): TrainingExample => ({
  inputIds: new Int32Array(),
  labels: Int32Array.of(1),
  inputs: [pixelInput(new Float32Array(3 * 32 * 32).fill(0.5))],
});

interface Case {
  readonly config: RawConfig;
  readonly task?: Task;
  readonly example: TrainingExample;
  /** Null trains every weight. */
  readonly method: MethodConfig | null;
  readonly weights?: KeptWeights;
  readonly threads?: number;
  readonly args?: TrainingArguments;
}

const cases: Record<string, Case> = {
  "LoRA on Llama": { config: llama, example: text(64), method: lora({ r: 8 }) },
  "LoRA with two threads": { config: llama, example: text(64), method: lora({ r: 8 }), threads: 2 },
  "LoRA on int8": { config: llama, example: text(64), method: lora({ r: 8 }), weights: "int8", threads: 2 },
  "LoRA on nf4": { config: llama, example: text(64), method: lora({ r: 8 }), weights: "nf4" },
  "LoRA on bf16 with gradient checkpointing": {
    ...{ config: llama, example: text(96), method: lora({ r: 8 }), weights: "bf16" },
    args: { gradientCheckpointing: true },
  },
  "LoRA with dropout of another probability": {
    ...{ config: gpt2, example: text(64), method: lora({ r: 4, loraDropout: 0.1 }) },
    args: { dropout: 0.2 },
  },
  "DoRA with a head of its own on GPT-2": {
    ...{ config: gpt2, task: "SEQ_CLS", example: classed(64) },
    method: lora({ r: 4, useDora: true, modulesToSave: ["score"] }),
  },
  "PiSSA, which starts from a decomposition": {
    ...{ config: llama, example: text(64), method: lora({ r: 4, initLoraWeights: "pissa" }) },
  },
  "VeRA, whose projections are frozen": { config: llama, example: text(64), method: vera({ r: 32 }) },
  "prefix tuning": { config: gpt2, example: text(64), method: prefixTuning({ numVirtualTokens: 10 }) },
  "IA3 on T5": { config: t5, example: pair(64, 32), method: ia3({}) },
  "bottleneck adapters on BERT": { config: bert, task: "SEQ_CLS", example: classed(64), method: bottleneck({}) },
  "BitFit on BERT's tokens": {
    config: bert,
    task: "TOKEN_CLS",
    example: { ...text(64), labels: new Int32Array(64) },
    method: bitfit({}),
  },
  "LoRA on images": {
    ...{ config: vit, task: "IMAGE_CLS", example: image() },
    method: lora({ r: 4, targetModules: ["query", "value"], modulesToSave: ["classifier"] }),
  },
  "every weight with AdamW": { config: llama, example: text(64), method: null },
  "every weight with AdamW in 8 bits": { config: gpt2, example: text(64), method: null, args: { optim: "adamw8bit" } },
  "every weight with Adafactor, two threads": {
    ...{ config: llama, example: text(64), method: null, threads: 2, args: { optim: "adafactor" } },
  },
};

async function modelOf({ config, task, method, weights = "f32" }: Case, engine: Engine): Promise<Trainable> {
  const made = { engine, fast: true, ...(method !== null && { weights }) };
  const base = (await modelFromConfig(config, task ?? null, made)) as Model;
  return method === null ? fullTraining(base, async () => {}) : getPeftModel(base, method, { onWarning: () => {} });
}

describe("a plan made without memory is what training takes, within 2 %", () => {
  test.each(Object.entries(cases))("%s", async (_, each) => {
    const { example, threads = 1 } = each;
    const args = { maxSteps: 2, perDeviceTrainBatchSize: 3, learningRate: 1e-5, ...each.args };
    const trainDataset = Array<TrainingExample>(6).fill(example);
    using nothing = await createEngine({ build: "baseline", threads, measuring: true });
    const plan = planMemory(await modelOf(each, nothing), trainDataset, args);
    expect(nothing.memory.wasm.buffer.byteLength, "nothing is allocated").toBe(65536);

    using engine = await createEngine({ build: "baseline", threads });
    const model = await modelOf(each, engine);
    expect(planMemory(model, trainDataset, args), "the same as for a model that is there").toEqual(plan);
    await new Trainer({ model, args, trainDataset }).train();
    const { peakBytes, byteLength } = engine.memory;
    expect(plan.total / (peakBytes + plan.overhead)).toBeGreaterThan(0.98);
    expect(plan.total / (peakBytes + plan.overhead)).toBeLessThan(1.02);
    expect(plan.total / byteLength).toBeGreaterThan(0.98);
    expect(plan.total / byteLength).toBeLessThan(1.02);
    expect(sumOf(plan)).toBe(plan.total);
  });
});

function sumOf({ base, adapter, optimizer, activations, workspace, overhead }: MemoryPlan): number {
  return base + adapter + optimizer + activations + workspace + overhead;
}

test("the parts of a plan are what they are called", async () => {
  const trainDataset = Array<TrainingExample>(3).fill(text(64));
  const planOf = async (each: Partial<Case>, args: TrainingArguments = {}) => {
    using engine = await createEngine({ build: "baseline", threads: each.threads ?? 1, measuring: true });
    const made = await modelOf({ config: llama, example: text(64), method: lora({ r: 8 }), ...each }, engine);
    return planMemory(made, trainDataset, args);
  };
  const plain = await planOf({});
  const trained = 3 * (8 * (64 + 64) + 8 * (64 + 32)); // A and B of q and v in three layers
  expect(plain.adapter).toBe(2 * 4 * trained);
  expect(plain.optimizer).toBe(2 * 4 * trained);
  const twice = await planOf({ threads: 2 });
  expect(twice.workspace).toBe(2 * plain.workspace);
  const others = { workspace: 0, total: 0, memories: [] };
  expect({ ...twice, ...others }).toEqual({ ...plain, ...others });
  const full = await planOf({ method: null });
  expect(full.adapter, "gradients of every weight").toBe(full.optimizer / 2);
  expect(full.base).toBe(plain.base);
  const int8 = await planOf({ weights: "int8" });
  expect(int8.base).toBeLessThan(0.35 * plain.base);
  const checkpointed = await planOf({}, { gradientCheckpointing: true });
  expect(checkpointed.activations).toBeLessThan(0.7 * plain.activations);
  expect(checkpointed.base).toBe(plain.base);
});

test("the longest examples make the largest batch, by rows or by tokens", async () => {
  using engine = await createEngine({ build: "baseline", threads: 1, measuring: true });
  const model = await modelOf({ config: llama, example: text(64), method: lora({ r: 8 }) }, engine);
  const spread = [text(8), text(60), text(16), text(64), text(4)];
  const two = planMemory(model, spread, { perDeviceTrainBatchSize: 2 });
  expect(two).toEqual(planMemory(model, [text(60), text(64)], { perDeviceTrainBatchSize: 2 }));
  const budget = planMemory(model, spread, { tokensPerBatch: 90 });
  expect(budget).toEqual(planMemory(model, [text(64), text(16), text(8)], { perDeviceTrainBatchSize: 3 }));
});

test("models far beyond any memory can be planned, but not computed with", async () => {
  using engine = await createEngine({ threads: 1, measuring: true });
  const large = { ...llama, hidden_size: 4096, intermediate_size: 11008, num_hidden_layers: 32, vocab_size: 32000 };
  const model = await modelOf({ config: large, example: text(64), method: lora({ r: 8 }), weights: "bf16" }, engine);
  const { base } = planMemory(model, [text(64)]);
  expect(base).toBeGreaterThan(10e9);
  expect(base).toBeLessThan(14e9);
  expect(engine.memory.wasm.buffer.byteLength).toBe(65536);
  await expect(new Trainer({ model, trainDataset: [text(64)] }).train()).rejects.toThrow(
    new StateError("this engine only measures and computes nothing: create one without measuring: true"),
  );
});

describe("a run that does not fit", () => {
  const trainDataset = Array.from({ length: 24 }, (_, i) => text(64 + i));

  async function refused(maxBytes: number): Promise<{ message: string; model: Trainable; steps: number }> {
    const engine = await createEngine({ build: "baseline", threads: 1, maxBytes });
    const model = await modelOf({ config: llama, example: text(64), method: lora({ r: 8 }) }, engine);
    let steps = 0;
    const before = engine.memory.usedBytes;
    const trainer = new Trainer({ model, args: ARGS, trainDataset, onProgress: () => steps++ });
    const error = await trainer.train().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StateError);
    expect(engine.memory.usedBytes - before, "the position tables that the plan made").toBeLessThan(70_000);
    return { message: (error as StateError).message, model, steps };
  }
  const ARGS = { maxSteps: 2, perDeviceTrainBatchSize: 16 };

  test("says so before the first step, with both numbers and settings that do fit", async () => {
    const { message, model, steps } = await refused(1e7);
    expect(steps).toBe(0);
    expect(message).toMatch(
      /^training needs 1[0-9.]+ MB of memory \(base [^)]+\), but the limit is 10\.0 MB\nit would fit with\n/,
    );
    const batch = Number(/perDeviceTrainBatchSize (\d+): /.exec(message)![1]);
    const length = Number(/maxLength (\d+): /.exec(message)![1]);
    expect(message).toMatch(/gradientCheckpointing: /);
    expect(message, "a loaded base stays as it is").not.toMatch(/--weights/);

    const short = trainDataset.map(({ inputIds, labels }) => ({
      inputIds: inputIds.subarray(0, length),
      labels: labels.subarray(0, length),
    }));
    await new Trainer({ model, args: { ...ARGS, perDeviceTrainBatchSize: batch }, trainDataset }).train();
    await new Trainer({ model, args: { ...ARGS, gradientCheckpointing: true }, trainDataset }).train();
    await new Trainer({ model, args: ARGS, trainDataset: short }).train();
    const total = (args: TrainingArguments) => planMemory(model, trainDataset, args).total;
    expect(total({ perDeviceTrainBatchSize: batch }), "the largest that fits").toBeLessThanOrEqual(1e7);
    expect(total({ perDeviceTrainBatchSize: batch + 1 })).toBeGreaterThan(1e7);
  });

  test("names the host's limit where that is the smaller one", async () => {
    const engine = await createEngine({ build: "baseline", threads: 1 });
    const model = await modelOf({ config: llama, example: text(64), method: lora({ r: 8 }) }, engine);
    const { wasm } = engine.memory;
    const grow = wasm.grow.bind(wasm);
    vi.spyOn(wasm, "grow").mockImplementation((pages) => {
      if (wasm.buffer.byteLength + pages * 65536 > 8e6) throw new RangeError("out of memory");
      return grow(pages);
    });
    const run = new Trainer({ model, args: ARGS, trainDataset }).train();
    await expect(run).rejects.toThrow(/, but the limit is (7\.9|8\.0) MB\nit would fit with\n/);
  });

  test("says when nothing that was tried is enough", async () => {
    const engine = await createEngine({ build: "baseline", threads: 1, maxBytes: 1e6 });
    const model = await modelOf({ config: llama, example: text(64), method: lora({ r: 8 }) }, engine);
    const run = new Trainer({ model, args: ARGS, trainDataset }).train();
    await expect(run).rejects.toThrow(/\n[^\n]*use a smaller model$/);
  });
});
