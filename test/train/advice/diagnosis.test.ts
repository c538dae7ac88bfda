import { expect, test } from "vitest";
import { diagnoseRun } from "../../../src/train/advice/diagnosis.ts";
import { completeArguments, type TrainingArguments } from "../../../src/train/arguments.ts";
import { Trainer } from "../../../src/train/trainer.ts";
import { examples, labelledExamples, tinyClassifier, tinyModel } from "../tiny.ts";

async function findings(args: TrainingArguments, count = 16) {
  const trainer = new Trainer({ model: await tinyModel(), args, trainDataset: examples(count) });
  return diagnoseRun({ result: await trainer.train(), args: trainer.args, examples: count });
}

test("runs that learn, quickly or slowly, raise no alarm", async () => {
  for (const args of [
    { maxSteps: 60, learningRate: 0.02 },
    { maxSteps: 40, learningRate: 2e-3 },
    { maxSteps: 40, learningRate: 2e-3, perDeviceTrainBatchSize: 2 },
    { maxSteps: 8, learningRate: 0.02, perDeviceTrainBatchSize: 16 },
  ])
    expect(await findings(args), JSON.stringify(args)).toEqual([]);
});

test("a loss that does not move is named with a higher rate, and one that rises with a lower", async () => {
  const [flat, ...others] = await findings({ maxSteps: 40, learningRate: 1e-5 });
  expect(others).toEqual([]);
  expect(flat!.kind).toBe("flat");
  expect(flat!.message).toMatch(/^the loss did not move: 3\.\d+ in .*Try learningRate 0.0001, then maxSteps 120; if/);
  const model = await tinyModel();
  const given = { model, trainDataset: examples(16) };
  await new Trainer({ ...given, args: { maxSteps: 60, learningRate: 0.02 } }).train();
  const again = new Trainer({
    ...given,
    args: { maxSteps: 30, learningRate: 0.5, warmupSteps: 30, perDeviceTrainBatchSize: 16 },
  });
  const [rising] = diagnoseRun({ result: await again.train(), args: again.args, examples: 16 });
  expect(rising).toMatchObject({ kind: "rising", message: expect.stringContaining("try learningRate 0.1") });
});

test("three steps teach nothing, and the proposal is a run of enough steps", async () => {
  const [few] = await findings({ numTrainEpochs: 3 }, 6);
  expect(few!.message).toBe(
    "3 steps teach a model almost nothing: try numTrainEpochs 10 and perDeviceTrainBatchSize 1, which is about 60 steps",
  );
  expect((await findings({ maxSteps: 1 }))[0]!.message).toMatch(/^one step teaches .*: try maxSteps 60/);
});

test("a classifier that knows no more than the shares of the classes is guessing", async () => {
  const data = labelledExamples(30);
  const classCounts = [0, 1, 2].map((c) => data.filter(({ labels }) => labels[0] === c).length);
  const run = async (learningRate: number) => {
    const args = { numTrainEpochs: 8, learningRate, perDeviceTrainBatchSize: 4 };
    const trainer = new Trainer({ model: await tinyClassifier(), args, trainDataset: data });
    return diagnoseRun({ result: await trainer.train(), args: trainer.args, examples: data.length, classCounts });
  };
  expect((await run(1e-5)).map(({ kind }) => kind)).toEqual(["guessing"]);
  expect(await run(0.02)).toEqual([]);
});

test("noise in the direction of learning is no alarm, and a solved task neither", () => {
  const about = { args: completeArguments({ learningRate: 1e-4 }), examples: 100 };
  const of = (curve: number[]) => diagnoseRun({ ...about, result: { step: 100, curve } }).map(({ kind }) => kind);
  const steady = Array.from({ length: 32 }, (_, i) => 2 - i * 0.001); // 1.2 % in all, without noise
  expect(of(steady)).toEqual([]);
  const noisy = steady.map((loss, i) => loss + (i % 2 === 0 ? 0.3 : -0.3));
  expect(of(noisy)).toEqual(["flat"]);
  expect(of(Array(32).fill(0.01))).toEqual([]);
  expect(of(Array(32).fill(2))).toEqual(["flat"]);
  expect(of(Array.from({ length: 32 }, (_, i) => 1 + i * 0.02))).toEqual(["rising"]);
  expect(of([])).toEqual([]);
});
