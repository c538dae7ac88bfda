import { expect, test } from "vitest";
import { memoryRun } from "../../src/train/memory-run.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { examples, tinyModel } from "./tiny.ts";

test("the loss falls far below the entropy of the data when eight examples are learnt by heart", async () => {
  const model = await tinyModel();
  const losses: number[] = [];
  const trainer = new Trainer({
    model,
    args: { maxSteps: 60, learningRate: 0.02, perDeviceTrainBatchSize: 8, lrSchedulerType: "constant" },
    trainDataset: examples(8),
    output: memoryRun(),
    onProgress: ({ loss }) => losses.push(loss),
  });
  await trainer.train();
  console.log(losses[0], losses.at(-1));
  expect(losses[0]!).toBeGreaterThan(3);
  expect(losses.at(-1)!).toBeLessThan(0.3);
});
