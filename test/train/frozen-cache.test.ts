/** cacheFrozen: the same bits without computing frozen lower blocks again. */
import { expect, test, vi } from "vitest";
import { getPeftModel, type PeftModel } from "../../src/adapt/peft-model.ts";
import { modelFromConfig } from "../../src/auto/auto-model.ts";
import { Philox } from "../../src/core/random/philox.ts";
import type { Task } from "../../src/core/task.ts";
import { bottleneck } from "../../src/methods/bottleneck.ts";
import { lora } from "../../src/methods/lora.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import { pixelInput } from "../../src/nn/pass/pixels.ts";
import type { KeptWeights } from "../../src/nn/tensors/kept-dtype.ts";
import type { TrainingArguments } from "../../src/train/arguments.ts";
import type { TrainingExample } from "../../src/train/check-examples.ts";
import { memoryRun } from "../../src/train/run/run-in-memory.ts";
import type { Trainable } from "../../src/train/trainable.ts";
import { Trainer } from "../../src/train/trainer.ts";
import type { Arena } from "../../src/wasm/arena.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import type { Kernels } from "../../src/wasm/generated/kernels.ts";
import { tinyDropoutModel, valuesOf } from "./tiny.ts";

const WIDTH = 16;
const configs: Readonly<Record<string, RawConfig>> = {
  llama: {
    ...{ model_type: "llama", hidden_size: WIDTH, intermediate_size: 24, num_hidden_layers: 6, vocab_size: 32 },
    ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 64 },
  },
  // Narrower matrices are not kept in int8.
  wide: {
    ...{ model_type: "llama", hidden_size: 64, intermediate_size: 64, num_hidden_layers: 6, vocab_size: 32 },
    ...{ num_attention_heads: 4, max_position_embeddings: 64 },
  },
  bert: {
    ...{ model_type: "bert", hidden_size: WIDTH, intermediate_size: 24, num_hidden_layers: 4, num_attention_heads: 4 },
    ...{ vocab_size: 32, hidden_dropout_prob: 0, id2label: { "0": "no", "1": "yes" } },
  },
  t5: {
    ...{ model_type: "t5", d_model: WIDTH, d_kv: 4, d_ff: 24, num_layers: 3, num_heads: 4, vocab_size: 32 },
    ...{ decoder_start_token_id: 0, pad_token_id: 0, eos_token_id: 1, dropout_rate: 0 },
  },
  vit: {
    ...{ model_type: "vit", image_size: 8, patch_size: 4, num_channels: 1, hidden_size: WIDTH, intermediate_size: 24 },
    ...{ num_hidden_layers: 4, num_attention_heads: 4, id2label: { "0": "cat", "1": "bird" } },
  },
};

/** Sequences of 2 to 9 tokens: some batches, and some of what a batch lacks, are of no more than four rows. */
function examplesFor(task: Task, count = 14): TrainingExample[] {
  const random = new Philox(3);
  const words = (length: number) => Int32Array.from({ length }, () => 2 + random.below(30));
  return Array.from({ length: count }, (_, i) => {
    const inputIds = words(i % 3 === 0 ? 2 : 2 + random.below(8));
    if (task === "SEQ_CLS") return { inputIds, labels: Int32Array.of(i % 2) };
    if (task === "SEQ_2_SEQ_LM") return { inputIds, labels: words(3) };
    if (task === "IMAGE_CLS") {
      const pixels = Float32Array.from({ length: 64 }, () => random.normal());
      return { inputIds: new Int32Array(), labels: Int32Array.of(i % 2), inputs: [pixelInput(pixels)] };
    }
    return { inputIds, labels: inputIds };
  });
}

async function adapted(
  type: string,
  task: Task,
  config: Parameters<typeof getPeftModel>[1],
  weights: KeptWeights = "stored",
): Promise<PeftModel> {
  const engine = await createEngine({ build: "baseline" });
  const raw = { ...configs[type]!, initializer_range: 0.2 };
  const base = await modelFromConfig(raw, task, { engine, seed: 1, weights });
  return getPeftModel(base, config, { seed: 3 }) as PeftModel;
}

const top = () => lora({ r: 4, targetModules: ["q_proj", "v_proj"], layersToTransform: [4, 5], loraDropout: 0.1 });
const topLlama = () => adapted("llama", "CAUSAL_LM", top());

async function run(model: Trainable, task: Task, args: TrainingArguments, warnings: string[] = []) {
  const losses: number[] = [];
  const trainer = new Trainer({
    model,
    args: { numTrainEpochs: 4, learningRate: 0.02, ...args },
    trainDataset: examplesFor(task),
    onProgress: ({ loss }) => losses.push(loss),
    onWarning: (text) => warnings.push(text),
  });
  const bytes = trainer.plan();
  const result = await trainer.train();
  return { bytes, result, losses, values: valuesOf(model), report: trainer.frozenCache };
}

const LARGE = 1e9;

test.each([1, 2, 3, 5])("batches of %i: losses and parameters are the same bits with any budget", async (size) => {
  const args = { perDeviceTrainBatchSize: size, gradientAccumulationSteps: 2 };
  const plain = await run(await topLlama(), "CAUSAL_LM", args);
  for (const cacheFrozen of [LARGE, 3000, 1]) {
    const cached = await run(await topLlama(), "CAUSAL_LM", { ...args, cacheFrozen });
    expect(cached.losses).toEqual(plain.losses);
    expect(cached.values).toEqual(plain.values);
    expect(cached.report!.blocks).toBe(4);
  }
});

const lowest = { targetModules: "all-linear" } as const;
test.each([
  ["a BERT classifier", "bert", "SEQ_CLS", () => lora({ r: 4, layersToTransform: [2, 3] }), 2],
  ["ViT", "vit", "IMAGE_CLS", () => lora({ r: 4, targetModules: ["query"], layersToTransform: [3] }), 3],
  ["T5's encoder", "t5", "SEQ_2_SEQ_LM", () => lora({ r: 4, targetModules: "encoder\\.block\\.2\\..*\\.q" }), 2],
  ["T5's decoder", "t5", "SEQ_2_SEQ_LM", () => lora({ r: 4, targetModules: "decoder\\..*\\.q" }), 3],
  ["bottlenecks left out below", "bert", "SEQ_CLS", () => bottleneck({ reductionFactor: 4, leaveOut: [0, 1] }), 2],
  ["everything adapted", "llama", "CAUSAL_LM", () => lora({ r: 4, ...lowest }), 0],
] as const)("%s: the same bits, and as many blocks left out as lie below", async (_, type, task, config, blocks) => {
  const args = { perDeviceTrainBatchSize: 3, tokensPerBatch: type === "vit" ? null : 14 };
  const plain = await run(await adapted(type, task, config()), task, args);
  const cached = await run(await adapted(type, task, config()), task, { ...args, cacheFrozen: LARGE });
  expect(cached.losses).toEqual(plain.losses);
  expect(cached.values).toEqual(plain.values);
  expect(cached.report?.blocks ?? 0).toBe(blocks);
});

test.each(["int8", "nf4"] as const)("frozen weights in %s: the same bits", async (weights) => {
  const make = (kept: KeptWeights = weights) => adapted("wide", "CAUSAL_LM", top(), kept);
  const args = { perDeviceTrainBatchSize: 3 };
  const plain = await run(await make(), "CAUSAL_LM", args);
  const both = { cacheFrozen: 12_000, gradientCheckpointing: true };
  const cached = await run(await make(), "CAUSAL_LM", { ...args, ...both });
  expect(cached.losses).toEqual(plain.losses);
  expect(cached.values).toEqual(plain.values);
  expect(plain.losses).not.toEqual((await run(await make("f32"), "CAUSAL_LM", args)).losses);
});

test("it works together with gradient checkpointing", async () => {
  const plain = await run(await topLlama(), "CAUSAL_LM", {});
  const both = await run(await topLlama(), "CAUSAL_LM", { cacheFrozen: LARGE, gradientCheckpointing: true });
  expect(both.losses).toEqual(plain.losses);
  expect(both.values).toEqual(plain.values);
});

/** Calls of a kernel in each optimizer step. */
async function callsPerStep(kernel: keyof Kernels, args: TrainingArguments): Promise<number[]> {
  const model = await topLlama();
  let calls = 0;
  model.engine.observe({ ran: (name) => void (name === kernel && calls++) });
  const counts: number[] = [];
  const trainer = new Trainer({
    model,
    args: { numTrainEpochs: 2, perDeviceTrainBatchSize: 7, ...args },
    trainDataset: examplesFor("CAUSAL_LM"),
    onProgress: () => {
      counts.push(calls);
      calls = 0;
    },
  });
  await trainer.train();
  return counts;
}

test("in the second epoch lower blocks are not run", async () => {
  expect(await callsPerStep("silu_gate_f32", {})).toEqual([6, 6, 6, 6]);
  expect(await callsPerStep("silu_gate_f32", { cacheFrozen: LARGE })).toEqual([6, 6, 2, 2]);
  expect(await callsPerStep("embedding_f32", { cacheFrozen: LARGE })).toEqual([3, 3, 2, 2]); // those left are the head's
});

test("the budget is kept to, and what is kept is counted", async () => {
  const examples = examplesFor("CAUSAL_LM");
  const all = examples.reduce((sum, { inputIds }) => sum + inputIds.length * WIDTH * 4, 0);
  const { report } = await run(await topLlama(), "CAUSAL_LM", { cacheFrozen: all / 2 });
  expect(report!.bytes).toBeLessThanOrEqual(all / 2);
  expect(report!.bytes).toBeGreaterThan(all / 3);
  expect(report!.kept).toBeLessThan(14);
  expect(report!.examples).toBe(14);
  const whole = await run(await topLlama(), "CAUSAL_LM", { cacheFrozen: all });
  expect(whole.report).toEqual({ blocks: 4, kept: 14, examples: 14, bytes: all });
});

test("the working memory announced is that of the largest pass, and less than without", async () => {
  const model = await topLlama();
  const arenas = new Set<Arena>();
  const take = model.engine.takeArena.bind(model.engine);
  vi.spyOn(model.engine, "takeArena").mockImplementation((bytes) => {
    const arena = take(bytes);
    arenas.add(arena);
    return arena;
  });
  const cached = await run(model, "CAUSAL_LM", { cacheFrozen: LARGE });
  expect(arenas.size).toBe(1);
  expect([...arenas][0]!.peakBytes).toBe(cached.bytes);
  expect(cached.bytes).toBeLessThanOrEqual((await run(await topLlama(), "CAUSAL_LM", {})).bytes);
});

test("a run that stops and goes on ends with the same bits", async () => {
  const args = { numTrainEpochs: 3, perDeviceTrainBatchSize: 4, learningRate: 0.02, cacheFrozen: 2500 };
  const trainDataset = examplesFor("CAUSAL_LM");
  const whole = await topLlama();
  await new Trainer({ model: whole, args, trainDataset }).train();
  const output = memoryRun();
  const stop = new AbortController();
  const first = new Trainer({
    model: await topLlama(),
    args,
    trainDataset,
    outputDir: output,
    signal: stop.signal,
    onProgress: ({ step }) => step === 6 && stop.abort(),
  });
  expect((await first.train()).stopped).toBe("aborted");
  const second = await topLlama();
  await new Trainer({ model: second, args, trainDataset, outputDir: output }).train({ resume: true });
  expect(valuesOf(second)).toEqual(valuesOf(whole));
});

test("rows whose rotary positions depend on the length of their batch are not kept", async () => {
  const scaled = { ...configs.llama!, max_position_embeddings: 5, rope_scaling: { rope_type: "dynamic", factor: 4 } };
  const base = await modelFromConfig(scaled, "CAUSAL_LM", { engine: await createEngine({ build: "baseline" }) });
  const warnings: string[] = [];
  const args = { maxSteps: 1, cacheFrozen: LARGE };
  expect((await run(getPeftModel(base, top()) as PeftModel, "CAUSAL_LM", args, warnings)).report).toBe(null);
  expect(warnings).toEqual([expect.stringContaining("rows depend on the length of their batch (rope_scaling)")]);
});

test("where nothing can be kept, a warning says why and what to do", async () => {
  const warnings: string[] = [];
  const args = { maxSteps: 1, cacheFrozen: LARGE };
  expect((await run(await tinyDropoutModel(), "CAUSAL_LM", args, warnings)).report).toBe(null);
  const engine = await createEngine({ build: "baseline" });
  const gpt2 = { model_type: "gpt2", n_embd: 16, n_layer: 3, n_head: 2, vocab_size: 32, embd_pdrop: 0 };
  const base = await modelFromConfig(gpt2, "CAUSAL_LM", { engine });
  const topGpt2 = getPeftModel(base, lora({ r: 2, layersToTransform: [2], fanInFanOut: true }));
  expect((await run(topGpt2 as PeftModel, "CAUSAL_LM", args, warnings)).report).toBe(null);
  const two = await topLlama();
  two.addAdapter("lower", lora({ r: 2, targetModules: ["q_proj"] }));
  two.setAdapter(["default", "lower"]);
  two.setTrainable("lower", false);
  two.setTrainable("default", true);
  expect((await run(two, "CAUSAL_LM", args, warnings)).report).toBe(null);
  expect(warnings).toEqual([
    'cacheFrozen: nothing can be cached, because training changes "transformer.h.0" or layers below it; adapt only upper layers (layersToTransform)',
    'cacheFrozen: nothing can be cached, because dropout is active in frozen layers below "transformer.h.1"; set dropout to 0',
    "cacheFrozen: nothing can be cached, because an active adapter is not trained or several adapters run in parallel; deactivate the adapters that are not trained",
  ]);
});
