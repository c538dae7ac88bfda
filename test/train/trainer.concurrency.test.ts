/** What a run allows at the same time, and what callbacks of it may do. */
import { expect, test } from "vitest";
import { getPeftModel, type PeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { lora } from "../../src/methods/lora.ts";
import { concatenate } from "../../src/nn/pass/sequences.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { resizeTokenEmbeddings } from "../../src/nn/tensors/resize-token-embeddings.ts";
import { evaluateLoss } from "../../src/train/evaluation/evaluate.ts";
import { Trainer } from "../../src/train/trainer.ts";
import type { TrainerOptions } from "../../src/train/trainer-options.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";
import { examples, tinyConfig, tinyModel, valuesOf } from "./tiny.ts";

const quiet = { onWarning: () => {} };
const batch = concatenate([[3, 5, 2, 6]]);
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function adapted(engine?: Engine): Promise<PeftModel<CausalLM>> {
  const own = engine ?? (await createEngine({ build: "baseline" }));
  const base = await AutoModelForCausalLM.fromConfig(tinyConfig, { engine: own, seed: 1, weights: "stored" });
  return getPeftModel(base, lora({ r: 2 }), { ...quiet, seed: 2 });
}

function trainer(
  model: PeftModel<CausalLM>,
  options: Partial<TrainerOptions<PeftModel<CausalLM>>> = {},
): Trainer<PeftModel<CausalLM>> {
  const args = { maxSteps: 4, learningRate: 0.05, perDeviceTrainBatchSize: 2, seed: 1 };
  return new Trainer({ model, trainDataset: examples(8), args, onProgress: turn, ...options });
}

const message = "the model is being trained; wait for that train() to end, or end it with its signal";

test("a second train() on the model is refused, by the same trainer and by another; the first ends as alone", async () => {
  const alone = await adapted();
  const { trainLoss: loss } = await trainer(alone).train();
  const model = await adapted();
  const first = trainer(model);
  const running = first.train();
  await expect(first.train()).rejects.toThrow(`train: ${message}`);
  await expect(trainer(model).train()).rejects.toThrow(`train: ${message}`);
  expect((await running).trainLoss).toBe(loss);
  expect(valuesOf(model)).toEqual(valuesOf(alone));
  expect((await first.train()).stopped, "and may run again afterwards").toBe("finished");
});

test("two trainers on two models of one engine run side by side, each as alone", async () => {
  const alone = await adapted();
  const { trainLoss: loss } = await trainer(alone).train();
  using engine = await createEngine({ build: "baseline" });
  const models = [await adapted(engine), await adapted(engine), await adapted(engine)];
  const results = await Promise.all(models.map((model) => trainer(model).train()));
  expect(results.map((result) => result.trainLoss)).toEqual([loss, loss, loss]);
  for (const model of models) expect(valuesOf(model)).toEqual(valuesOf(alone));
});

test.each<[string, (model: PeftModel<CausalLM>) => unknown]>([
  ["setAdapter", (model) => model.setAdapter("default")],
  ["setTrainable", (model) => model.setTrainable("default", false)],
  ["addAdapter", (model) => model.addAdapter("b", lora({ r: 1 }))],
  ["loadAdapter", (model) => model.loadAdapter(new Map(), "b")],
  ["hotswapAdapter", (model) => model.hotswapAdapter(new Map(), "default")],
  ["addWeightedAdapter", (model) => model.addWeightedAdapter(["default"], [1], "b")],
  ["convertToLora", (model) => model.convertToLora("default", "b")],
  ["deleteAdapter", (model) => model.deleteAdapter("default")],
  ["mergeAdapter", (model) => model.mergeAdapter()],
  ["mergeAndUnload", (model) => model.mergeAndUnload()],
  ["unload", (model) => model.unload()],
  ["loadAdapterState", (model) => model.loadAdapterState("default", model.adapterState("default"))],
  ["disableAdapter for a while", (model) => model.disableAdapter(() => turn())],
  ["dispose", (model) => model.dispose()],
  ["dispose of the base", (model) => model.base.dispose()],
  ["resizeTokenEmbeddings", (model) => resizeTokenEmbeddings(model.base, 40)],
])("%s is refused while the model is trained, and the run ends as alone", async (_, change) => {
  const alone = await adapted();
  await trainer(alone).train();
  const model = await adapted();
  const refused: unknown[] = [];
  const onProgress = async () => {
    await turn();
    await (async () => change(model))().catch((error: unknown) => refused.push(error));
  };
  await trainer(model, { onProgress }).train();
  expect(refused.map(String)).toEqual(Array(4).fill(expect.stringMatching(/^StateError: .*is being trained/)));
  expect(valuesOf(model)).toEqual(valuesOf(alone));
});

test("reading between the steps sees whole steps", async () => {
  const model = await adapted();
  const seen: unknown[] = [];
  const onProgress = async () => {
    await turn();
    seen.push(model.disableAdapter(() => model.forward(batch)));
    seen.push((await evaluateLoss(model, examples(2))).loss);
    await model.savePretrained(new Map());
  };
  await trainer(model, { onProgress }).train();
  expect(seen[2]).toEqual(seen[0]);
  expect(seen[3]).not.toBe(seen[1]);
});

test("an evaluation that a training step overtakes ends with an error", async () => {
  const model = await adapted();
  const running = trainer(model).train();
  const evaluation = evaluateLoss(model, examples(6), { batchSize: 1, onProgress: turn });
  await expect(evaluation).rejects.toThrow("evaluation: the model was trained, or what acts on it changed");
  await running;
});

test.each(["onProgress", "onLog"] as const)(
  "%s that throws or rejects ends the run with its error, and the model can be trained again",
  async (name) => {
    const alone = await adapted();
    await trainer(alone).train();
    for (const fails of [
      () => Promise.reject(new RangeError("from the callback")),
      () => {
        throw new RangeError("from the callback");
      },
    ]) {
      const model = await adapted();
      const before = valuesOf(model);
      const { memory } = model.engine;
      model.forward(batch); // makes the model's rotary table
      const used = memory.usedBytes - model.engine.arenaBytes;
      const args = { maxSteps: 4, learningRate: 0.05, perDeviceTrainBatchSize: 2, seed: 1, loggingSteps: 1 };
      await expect(trainer(model, { args, [name]: fails }).train()).rejects.toThrow("from the callback");
      expect(memory.usedBytes - model.engine.arenaBytes).toBe(used);
      for (const [key, param] of model.namedTrainable()) param.values().set(before.get(key)!);
      await trainer(model).train();
      expect(valuesOf(model)).toEqual(valuesOf(alone));
    }
  },
);

test("a run waits for its callback", async () => {
  const model = await tinyModel();
  const order: string[] = [];
  const onProgress = async ({ step }: { step: number }) => {
    order.push(`begin ${step}`);
    await turn();
    await turn();
    order.push(`end ${step}`);
  };
  const args = { maxSteps: 2, perDeviceTrainBatchSize: 2 };
  await new Trainer({ model, trainDataset: examples(4), args, onProgress }).train();
  expect(order).toEqual(["begin 1", "end 1", "begin 2", "end 2"]);
});

test("an adapter that is merged is not trained", async () => {
  const model = await adapted();
  model.mergeAdapter();
  await expect(trainer(model).train()).rejects.toThrow('adapters "default" are merged: unmerge them before training');
});
