/** Activations in bf16: nearly the same losses in less memory. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { encodeRows } from "../../src/data/examples.ts";
import { parseTextRows } from "../../src/data/rows.ts";
import { lora } from "../../src/methods/lora.ts";
import { AutoTokenizer } from "../../src/text/auto-tokenizer.ts";
import type { TrainingArguments } from "../../src/train/arguments.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { createEngine } from "../../src/wasm/engine.ts";

const at = (path: string) => new URL(`../../${path}`, import.meta.url).pathname;

/** The loss of each of 40 steps on sonnets, what was trained, and the plan, which is all the working memory that a step gets. */
async function train(args: TrainingArguments) {
  using engine = await createEngine({ build: "baseline", threads: 1 });
  using base = await AutoModelForCausalLM.fromPretrained(at("examples/pocket"), { engine });
  const tokenizer = await AutoTokenizer.fromPretrained(at("examples/pocket"));
  const path = at("examples/sonnets/train.jsonl");
  const { vocabSize, contextLength } = base;
  const trainDataset = encodeRows(path, parseTextRows(path, readFileSync(path)), {
    ...{ tokenizer, vocabSize, contextLength, maxLength: 64 },
  });
  const model = getPeftModel(base, lora({ r: 8, targetModules: "all-linear" }), { seed: 1 });
  const losses: number[] = [];
  const trainer = new Trainer({
    model,
    trainDataset,
    args: { maxSteps: 40, perDeviceTrainBatchSize: 4, learningRate: 2e-3, loggingSteps: 1, ...args },
    onLog: ({ loss }) => losses.push(...(loss === undefined ? [] : [loss as number])),
  });
  const { activations } = trainer.memory();
  await trainer.train();
  const trained = Array.from(model.namedTrainable().values(), (param) => [...param.values()]).flat();
  return { losses, trained, activations };
}

test("bf16 keeps the loss of every step within 0.1 % of f32's, in less memory", { timeout: 120_000 }, async () => {
  const [exact, rounded] = [await train({}), await train({ activations: "bf16" })];
  expect(exact.losses).toHaveLength(40);
  expect(exact.losses.at(-1)).toBeLessThan(0.95 * exact.losses[0]!);
  const worst = Math.max(...exact.losses.map((loss, i) => Math.abs(rounded.losses[i]! / loss - 1)));
  expect(worst).toBeLessThan(1e-3);
  expect(rounded.trained).not.toEqual(exact.trained);
  expect(rounded.activations).toBeLessThan(0.7 * exact.activations);
  const both = await train({ maxSteps: 2, activations: "bf16", gradientCheckpointing: true });
  const checkpointed = await train({ maxSteps: 2, gradientCheckpointing: true });
  expect(both.activations).toBeLessThan(checkpointed.activations);
});

test("another dtype is refused by name", async () => {
  const args = { activations: "f16" } as unknown as TrainingArguments;
  await expect(train(args)).rejects.toThrow(/activations.*f32.*bf16/s);
});
