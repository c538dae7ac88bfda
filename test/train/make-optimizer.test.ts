/** Training with every optimizer: exact resume, checkpoints of another one, LoRA+, and how far 8-bit moments lead. */
import { describe, expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { Philox } from "../../src/core/random/philox.ts";
import { ia3 } from "../../src/methods/ia3.ts";
import { lora } from "../../src/methods/lora.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { saveModel } from "../../src/nn/tensors/save-model.ts";
import { type OptimizerName, optimizerNames } from "../../src/optim/optimizers.ts";
import type { TrainingArguments } from "../../src/train/arguments.ts";
import { completeArguments } from "../../src/train/arguments.ts";
import { makeOptimizer } from "../../src/train/make-optimizer.ts";
import { memoryRun } from "../../src/train/run/run-in-memory.ts";
import { fullTraining, type Trainable } from "../../src/train/trainable.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { examples, tinyConfig, tinyLlama, valuesOf } from "./tiny.ts";

/** Some of its tensors have more than 4096 numbers, none of them a multiple of 256. */
const wideConfig = { ...tinyConfig, hidden_size: 60, intermediate_size: 75, num_attention_heads: 6, vocab_size: 83 };

async function wideLlama(): Promise<CausalLM> {
  const engine = await createEngine({ build: "baseline" });
  return AutoModelForCausalLM.fromConfig(wideConfig, { engine, seed: 1 });
}

async function wideModel(): Promise<Trainable> {
  const base = await wideLlama();
  return fullTraining(base, (target) => saveModel(base, target));
}

/** A rate that suits each, and options that give each of them all the state it can have. */
const settings: Record<OptimizerName, TrainingArguments> = {
  adamw: { learningRate: 0.01 },
  adamw8bit: { learningRate: 0.01 },
  adafactor: { learningRate: 0.01, optimArgs: { beta1: 0.9, scaleParameter: true } },
  lion: { learningRate: 2e-3 },
  sgd: { learningRate: 0.3, optimArgs: { momentum: 0.9, dampening: 0.1 } },
};

async function train(model: Trainable, args: TrainingArguments, run = memoryRun(), stopAfter = 0, resume = false) {
  const stop = new AbortController();
  const losses: number[] = [];
  const trainer = new Trainer({
    model,
    args: { maxSteps: 6, perDeviceTrainBatchSize: 4, lrSchedulerType: "constant", weightDecay: 0.01, ...args },
    trainDataset: examples(12),
    outputDir: run,
    signal: stop.signal,
    onProgress: ({ step, loss }) => {
      losses.push(loss);
      if (step === stopAfter) stop.abort();
    },
  });
  await trainer.train({ resume });
  return { losses, values: valuesOf(model) };
}

describe.each(optimizerNames)("%s", (optim) => {
  const args = { ...settings[optim], optim };

  test("lowers the loss", async () => {
    const { losses } = await train(await wideModel(), { ...args, maxSteps: 15 });
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.3);
  });

  test("stopping and resuming gives every bit of the run that never stopped", async () => {
    const whole = await train(await wideModel(), args);
    const run = memoryRun();
    const first = await train(await wideModel(), args, run, 3);
    const second = await train(await wideModel(), args, run, 0, true);
    expect([...first.losses, ...second.losses]).toEqual(whole.losses);
    expect(second.values).toEqual(whole.values);
  });

  test("a checkpoint of it is not resumed with another, and both are named", async () => {
    const other = optim === "lion" ? "sgd" : "lion";
    const run = memoryRun();
    await train(await wideModel(), args, run, 2);
    const resumed = train(await wideModel(), { ...args, optim: other, optimArgs: {} }, run, 0, true);
    await expect(resumed).rejects.toThrow(new RegExp(`\\n  optim: was ${optim}, is ${other}\\n`));
  });
});

test("the moments of AdamW8bit are in the checkpoint as bytes", async () => {
  const run = memoryRun();
  await train(await wideModel(), { ...settings.adamw8bit, optim: "adamw8bit" }, run, 2);
  const file = run.files.get("checkpoint-2/state/optimizer.safetensors")!;
  const header = new TextDecoder().decode(
    file.subarray(8, 8 + Number(new DataView(file.buffer).getBigUint64(0, true))),
  );
  const tensors = JSON.parse(header) as Record<string, { dtype: string; shape: number[] }>;
  const name = "model.embed_tokens.weight";
  expect(tensors[`exp_avg.${name}`]).toMatchObject({ dtype: "U8", shape: [83, 60] });
  expect(tensors[`exp_avg_sq_absmax.${name}`]).toMatchObject({ dtype: "F32", shape: [20] });
  expect(tensors["exp_avg.model.norm.weight"]).toMatchObject({ dtype: "F32", shape: [60] });
});

test("a checkpoint from before there was a choice goes on with AdamW, and with no other", async () => {
  const whole = await train(await wideModel(), settings.adamw);
  const run = memoryRun();
  const first = await train(await wideModel(), settings.adamw, run, 3);
  const path = "checkpoint-3/state/trainer.json";
  const state = JSON.parse(new TextDecoder().decode(run.files.get(path))) as { identity: Record<string, unknown> };
  for (const name of ["optim", "optimArgs", "loraplusLrRatio", "loraplusLrEmbedding"]) {
    expect(state.identity).toHaveProperty(name);
    delete state.identity[name];
  }
  run.files.set(path, new TextEncoder().encode(JSON.stringify(state)));
  run.files.delete("checkpoint-3/SHA256SUMS");
  const refused = train(await wideModel(), { ...settings.adamw, optim: "adamw8bit" }, run, 0, true);
  await expect(refused).rejects.toThrow(/optim: was adamw, is adamw8bit/);
  const second = await train(await wideModel(), settings.adamw, run, 0, true);
  expect([...first.losses, ...second.losses]).toEqual(whole.losses);
});

test("with 8-bit moments training goes where it goes with 32-bit ones, rare tokens included", async () => {
  const random = new Philox(3);
  // Most tokens are common; each of the others is seen once in a while, so that its rows mostly have no gradient.
  const data = Array.from({ length: 40 }, (_, i) => {
    const inputIds = Int32Array.from({ length: 16 }, (_, t) =>
      t === 7 ? 20 + (i % 60) : random.below(4) + (t % 4) * 4,
    );
    return { inputIds, labels: inputIds, where: `rare.jsonl:${i + 1}` };
  });
  const lossesWith = async (optim: OptimizerName) => {
    const losses: number[] = [];
    const trainer = new Trainer({
      model: await wideModel(),
      args: { optim, learningRate: 3e-3, maxSteps: 150, perDeviceTrainBatchSize: 4, weightDecay: 0.01 },
      trainDataset: data,
      onProgress: ({ loss }) => losses.push(loss),
    });
    await trainer.train();
    return losses;
  };
  const mean = (losses: number[]) => losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  const [wide, narrow] = [await lossesWith("adamw"), await lossesWith("adamw8bit")];
  expect(mean(wide.slice(-20))).toBeLessThan(wide[0]! / 2);
  for (const at of [20, 60, 100, 130]) {
    const [a, b] = [mean(wide.slice(at, at + 20)), mean(narrow.slice(at, at + 20))];
    expect(Math.abs(a / b - 1), `steps ${at} to ${at + 20}: ${a} and ${b}`).toBeLessThan(0.02);
  }
});

describe("LoRA+", () => {
  const adapted = async (method = lora({ r: 2, targetModules: ["q_proj", "v_proj"] })) =>
    getPeftModel(await tinyLlama(), method);

  test("lora_B moves as if its learning rate were so many times larger, and the schedule holds for both", async () => {
    const moved = async (args: TrainingArguments) => {
      const model = await adapted();
      const before = valuesOf(model);
      await train(model, { maxSteps: 1, learningRate: 1e-4, weightDecay: 0, ...args });
      const distance = (letter: string) =>
        Math.max(
          ...[...valuesOf(model)]
            .filter(([name]) => name.includes(`lora_${letter}.`))
            .flatMap(([name, values]) => Array.from(values, (x, i) => Math.abs(x - before.get(name)![i]!))),
        );
      return { a: distance("A"), b: distance("B") };
    };
    const plain = await moved({});
    const plus = await moved({ loraplusLrRatio: 16 });
    expect(plus.a).toBe(plain.a);
    expect(plus.b / plain.b).toBeCloseTo(16, 3);
  });

  test("it resumes to the same bits, but not with another ratio", async () => {
    const args = { learningRate: 1e-3, loraplusLrRatio: 8 };
    const whole = await train(await adapted(), args);
    const run = memoryRun();
    await train(await adapted(), args, run, 3);
    const changed = train(await adapted(), { ...args, loraplusLrRatio: 4 }, run, 0, true);
    await expect(changed).rejects.toThrow(/loraplusLrRatio: was 8, is 4/);
    const second = await train(await adapted(), args, run, 0, true);
    expect(second.values).toEqual(whole.values);
  });

  test("it needs a lora_B", async () => {
    const model = getPeftModel(await tinyLlama(), ia3());
    await expect(train(model, { loraplusLrRatio: 8 })).rejects.toThrow(
      /loraplusLrRatio is 8, but no trained parameter is a lora_B \(the first is "base_model.*ia3_l"\)/,
    );
  });
});

test("optimisers may have transformers' names, and settings reach them", async () => {
  const named = (optim: TrainingArguments["optim"]) => completeArguments({ optim: optim! }).optim;
  expect(named("adamw_torch")).toBe("adamw");
  expect(named("adamw_bnb_8bit")).toBe("adamw8bit");
  expect(named("lion_32bit")).toBe("lion");
  const args = completeArguments({ optim: "sgd", optimArgs: { momentum: 0.9 }, weightDecay: 0.1 });
  using optimizer = makeOptimizer(await wideModel(), args);
  expect(optimizer.name).toBe("SGD");
  expect(optimizer.slots[0]!.state.map(({ name }) => name)).toEqual(["momentum_buffer"]);
  expect(optimizer.slots[0]!.weightDecay).toBe(0.1);
});

test("an unknown optimizer and options it does not take are reported before anything is trained", () => {
  expect(() => completeArguments({ optim: "adam" as "adamw" })).toThrow(
    /"optim" is "adam", expected one of adamw, adamw8bit, adafactor, lion, sgd/,
  );
  expect(() => completeArguments({ optimArgs: { momentum: 0.9, beta1: 2 } })).toThrow(
    /optimArgs: AdamW: "beta1" is 2, .*\noptimArgs: AdamW: "momentum" is not an option/,
  );
  expect(() => completeArguments({ optimArgs: [] as unknown as Record<string, number> })).toThrow(
    /"optimArgs" is \[\], expected an object of the optimizer's options/,
  );
  expect(() => completeArguments({ loraplusLrRatio: 0 })).toThrow(/"loraplusLrRatio" is 0, expected a number above 0/);
});
