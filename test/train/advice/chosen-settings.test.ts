import { expect, test } from "vitest";
import { getPeftModel } from "../../../src/adapt/peft-model.ts";
import { ia3 } from "../../../src/methods/ia3.ts";
import { lora } from "../../../src/methods/lora.ts";
import { promptTuning } from "../../../src/methods/prompt_tuning.ts";
import { chooseArguments, chooseEpochs, chooseRate } from "../../../src/train/advice/chosen-settings.ts";
import { completeArguments } from "../../../src/train/arguments.ts";
import { Trainer } from "../../../src/train/trainer.ts";
import { examples, tinyLlama, tinyModel } from "../tiny.ts";

const epochs = (rows: number, args = {}) => chooseEpochs(examples(rows), args)?.value;

test("few rows get as many epochs as make about 100 steps, many rows get three", () => {
  expect([1, 6, 8, 9, 96, 300, 2000].map((rows) => epochs(rows))).toEqual([100, 100, 100, 50, 9, 3, 3]);
  expect(chooseEpochs(examples(96), {})!.reason).toBe("108 steps, of which an epoch has 12");
  expect(epochs(96, { perDeviceTrainBatchSize: 2 })).toBe(3);
  expect(epochs(96, { perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 12 })).toBe(25);
  expect(epochs(300, { tokensPerBatch: 1000 })).toBe(34);
});

test("what is given stays, and the rest is the trainer's", async () => {
  const model = await tinyModel();
  expect(chooseArguments(model, examples(6), { numTrainEpochs: 2, learningRate: 1e-5 })).toEqual({
    numTrainEpochs: 2,
    learningRate: 1e-5,
  });
  expect(chooseArguments(model, examples(6), { maxSteps: 4, seed: 1 })).toEqual({
    maxSteps: 4,
    seed: 1,
    learningRate: 3e-4,
  });
  expect(chooseArguments(model, examples(6), { learningRate: 0 })).toMatchObject({ learningRate: 0 });
});

test("a Trainer without arguments has the defaults of transformers", async () => {
  const { args } = new Trainer({ model: await tinyModel(), trainDataset: examples(6) });
  expect(args).toMatchObject({ learningRate: 5e-5, numTrainEpochs: 3, perDeviceTrainBatchSize: 8 });
});

test("the rate is that of the method, and follows the optimizer", async () => {
  const rate = async (method: Parameters<typeof getPeftModel>[1], args = {}) => {
    const model = getPeftModel(await tinyLlama(), method);
    return chooseRate(model, args);
  };
  expect(await rate(lora())).toMatchObject({ value: 3e-3, reason: "for a model of width 16" });
  expect(await rate(ia3())).toMatchObject({ value: ia3.about.learningRate, reason: "for (IA)³" });
  expect(await rate(promptTuning({ numVirtualTokens: 2 }))).toMatchObject({ value: promptTuning.about.learningRate });
  expect(await rate(lora(), { optim: "lion" })).toMatchObject({
    value: 6e-4,
    reason: "for a model of width 16, with lion",
  });
  expect((await rate(lora(), { loraplusLrRatio: 16 }))!.value).toBe(8e-4);
  expect((await rate(lora(), { learningRate: 1 }))!).toBeNull();
});

test("six rows are learned with what is chosen, and not with the trainer's own defaults", async () => {
  const rows = examples(6);
  const last = async (args: object) => {
    const model = await tinyModel();
    return (await new Trainer({ model, trainDataset: rows, args: { lrSchedulerType: "linear", ...args } }).train())
      .lastLoss;
  };
  const first = await last({ maxSteps: 1, learningRate: 0 });
  expect(await last(completeArguments({}))).toBeGreaterThan(0.99 * first);
  expect(await last(chooseArguments(await tinyModel(), rows, {}))).toBeLessThan(0.8 * first);
});
