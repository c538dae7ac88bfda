import { beforeEach, describe, expect, test, vi } from "vitest";
import type { MethodConfig } from "../../src/adapt/method/define-method.ts";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { modelFromConfig } from "../../src/auto/auto-model.ts";
import type { Task } from "../../src/core/task.ts";
import { adalora } from "../../src/methods/adalora.ts";
import { ia3 } from "../../src/methods/ia3.ts";
import { lora } from "../../src/methods/lora.ts";
import { prefixTuning } from "../../src/methods/prefix_tuning.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import type { Model } from "../../src/nn/tasks/model.ts";
import type { KeptWeights } from "../../src/nn/tensors/kept-dtype.ts";
import type { TrainingExample } from "../../src/train/check-examples.ts";
import { type HowToTrain, lossAndGradients, trainingBytes } from "../../src/train/micro-batch.ts";
import { Objective } from "../../src/train/objective.ts";
import { partsOf, rowsOfParts, SMALL_STEP } from "../../src/train/parts.ts";
import { fullTraining, type Trainable } from "../../src/train/trainable.ts";
import { createEngine } from "../../src/wasm/engine.ts";

/** What the code under test takes for a step that is too small to be cut. */
const limit = vi.hoisted(() => ({ bytes: 0 }));
vi.mock("../../src/train/parts.ts", async (original) => {
  const real = await original<typeof import("../../src/train/parts.ts")>();
  const rowsOfParts: typeof real.rowsOfParts = (batch, bytes) =>
    real.rowsOfParts(batch, limit.bytes === 0 ? Number.POSITIVE_INFINITY : (bytes / limit.bytes) * real.SMALL_STEP);
  return { ...real, rowsOfParts };
});
beforeEach(() => {
  limit.bytes = 0;
});

const gpt2: RawConfig = { model_type: "gpt2", n_embd: 64, n_layer: 2, n_head: 4, n_positions: 512, vocab_size: 256 };
const llama: RawConfig = {
  ...{ model_type: "llama", hidden_size: 64, intermediate_size: 160, num_hidden_layers: 2, num_attention_heads: 4 },
  ...{ num_key_value_heads: 2, vocab_size: 256, max_position_embeddings: 512, rms_norm_eps: 1e-5 },
};
const bert: RawConfig = {
  ...{ model_type: "bert", hidden_size: 64, intermediate_size: 128, num_hidden_layers: 2, num_attention_heads: 4 },
  ...{ vocab_size: 256, max_position_embeddings: 512 },
};
const t5: RawConfig = {
  ...{ model_type: "t5", d_model: 64, d_kv: 16, d_ff: 128, num_layers: 2, num_heads: 4, vocab_size: 256 },
  ...{ decoder_start_token_id: 0, dropout_rate: 0 },
};

const ids = (length: number, from = 0) => Int32Array.from({ length }, (_, i) => (7 * (i + from) + from) % 256);
const text = (length: number): TrainingExample => ({ inputIds: ids(length), labels: ids(length) });
/** Lengths that end parts inside a run of the sums, and one part that ends with a run. */
const ragged = [130, 101, 290, 94, 200, 57, 384, 33, 70].map(text);
const classed = Array.from({ length: 60 }, (_, i) => ({ inputIds: ids(20 + (i % 8)), labels: Int32Array.of(i % 2) }));
const pairs = [200, 150, 300, 80, 120].map((n) => ({ inputIds: ids(n), labels: ids(n >> 1, 3) }));

interface Case {
  readonly config: RawConfig;
  readonly task?: Task;
  readonly method: MethodConfig | null;
  readonly examples?: readonly TrainingExample[];
  readonly weights?: KeptWeights;
  readonly threads?: number;
  readonly how?: HowToTrain;
}

const all = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
const cut: Record<string, Case> = {
  "GPT-2 with its dropout": { config: gpt2, method: lora({ r: 8 }) },
  "dropout of the adapter": { config: gpt2, method: lora({ r: 5, loraDropout: 0.2 }) },
  "Llama, every linear layer, two threads": { config: llama, method: lora({ r: 8, targetModules: all }), threads: 2 },
  "LoRA on nf4": { config: llama, method: lora({ r: 4, targetModules: all }), weights: "nf4" },
  "LoRA on int8": { config: gpt2, method: lora({ r: 4 }), weights: "int8" },
  "gradient checkpointing": { config: gpt2, method: lora({ r: 8 }), how: { checkpointing: true } },
  "activations in bf16": { config: llama, method: lora({ r: 8 }), how: { activations: "bf16" } },
  "an encoder-decoder": { config: t5, method: lora({ r: 8 }), examples: pairs },
};
const whole: Record<string, Case> = {
  "every weight": { config: gpt2, method: null },
  "trained norms and heads": { config: llama, method: lora({ r: 4, modulesToSave: ["lm_head"] }) },
  "trained biases": { config: gpt2, method: lora({ r: 4, bias: "lora_only" }) },
  "a trained head, and its dropout": { config: bert, task: "SEQ_CLS", method: lora({ r: 8 }), examples: classed },
  DoRA: { config: llama, method: lora({ r: 4, useDora: true }) },
  AdaLoRA: { config: llama, method: adalora({ totalStep: 10 }) },
  IA3: { config: llama, method: ia3({}) },
  "prefix tuning": { config: gpt2, method: prefixTuning({ numVirtualTokens: 4 }) },
  "an encoder-decoder with dropout": { config: { ...t5, dropout_rate: 0.1 }, method: lora({ r: 8 }), examples: pairs },
};

async function open({ config, task, method, weights = "f32", threads = 1 }: Case) {
  const engine = await createEngine({ build: "baseline", threads });
  const made = { engine, fast: true, ...(method !== null && { weights }) };
  const base = (await modelFromConfig(config, task ?? null, made)) as Model;
  const model: Trainable =
    method === null ? fullTraining(base, async () => {}) : getPeftModel(base, method, { onWarning: () => {} });
  let seed = 1;
  for (const param of model.namedTrainable().values())
    for (const [i, v] of param.values().entries()) param.values()[i] = v + 0.02 * Math.sin(seed++);
  return { engine, model };
}

/** The loss, the bits of every gradient and the working memory of a step that starts from other gradients. */
async function step(each: Case, bytes: number) {
  limit.bytes = bytes;
  const { engine, model } = await open(each);
  using _ = engine;
  const objective = new Objective(model);
  const batch = objective.batch(each.examples ?? ragged, { seed: [0, 0], training: true });
  const params = [...model.namedTrainable().values()];
  for (const param of params) param.gradient().fill(0.001);
  const working = trainingBytes(objective, batch, each.how);
  const how = { divisor: batch.labels, seed: [3, 4] as const, ...each.how };
  const loss = lossAndGradients(objective, working, batch, how);
  const bits = params.map((param) => new Int32Array(param.gradient().slice().buffer));
  return {
    loss,
    bits,
    working,
    isCut: [...objective.cuts.values()].some((rows) => rows > 0),
    parts: partsOf(objective, batch),
  };
}

describe("a batch in parts has the bits of the whole, in less memory", () => {
  test.each(Object.entries(cut))("%s", async (_, each) => {
    const [parts, one] = [await step(each, 0), await step(each, Number.POSITIVE_INFINITY)];
    expect([parts.isCut, one.isCut]).toEqual([true, false]);
    expect(parts.loss).toEqual(one.loss);
    expect(parts.bits).toEqual(one.bits);
    expect(one.bits.some((bits) => new Set(bits).size > bits.length / 2)).toBe(true);
    expect(parts.working).toBeLessThan(0.75 * one.working);
  });
});

describe("a batch is left whole where parts would change bits", () => {
  test.each(Object.entries(whole))("%s", async (_, each) => {
    const found = await step(each, 0);
    expect(found.parts).not.toBeNull();
    expect(found.isCut).toBe(false);
  });
});

test("parts are whole sequences in order, each as long as the longest one or 384 rows", async () => {
  const { engine, model } = await open({ config: gpt2, method: lora({ r: 2 }) });
  using _ = engine;
  const objective = new Objective(model);
  const lengths = (of: readonly TrainingExample[]) =>
    partsOf(objective, objective.batch(of, { seed: [0, 0], training: true }))?.map(({ batch, part }) => {
      const { starts, ids: own, labels, labelStarts } = batch.sequences;
      expect([own.length, labels.length, starts.at(-1), labelStarts.at(-1)]).toEqual(Array(4).fill(part.rows));
      return [part.before, part.rows, part.last];
    }) ?? null;
  expect(lengths(ragged)).toEqual([
    [0, 231, false],
    [231, 384, false],
    [615, 257, false],
    [872, 384, false],
    [1256, 103, true],
  ]);
  expect(lengths([500, 100, 400].map(text))).toEqual([
    [0, 500, false],
    [500, 500, true],
  ]);
  limit.bytes = SMALL_STEP;
  const large = objective.batch(ragged, { seed: [0, 0], training: true });
  expect(rowsOfParts(large, 63e6), "little memory").toBe(0);
  expect(rowsOfParts(large, 96e6)).toBe(Math.floor((2 / 3) * large.tokens));
  expect(rowsOfParts(large, 640e6), "no fewer").toBe(384);
  expect(partsOf(objective, large, 900)?.map(({ part }) => part.rows)).toEqual([872, 487]);
  expect(lengths([text(512)]), "one sequence").toBeNull();
  expect(lengths([text(100), text(200)]), "few rows").toBeNull();
  expect(
    lengths([text(380), text(380), text(5)]),
    "a part with four labels, whose products take another path",
  ).toBeNull();
});
