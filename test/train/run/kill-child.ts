/** Trains a tiny model with a checkpoint after every step: the process that run-state.test.ts kills. Arguments: folder, steps. */
import { Trainer } from "../../../src/train/trainer.ts";
import { examples, tinyDropoutModel } from "../tiny.ts";

const [folder, steps] = process.argv.slice(2) as [string, string];
const trainer = new Trainer({
  model: await tinyDropoutModel(),
  args: {
    maxSteps: Number(steps),
    saveSteps: 1,
    saveTotalLimit: 2,
    evalSteps: 1,
    loggingSteps: 1,
    lrSchedulerType: "constant",
  },
  trainDataset: examples(20),
  evalDataset: examples(4, 8),
  outputDir: folder,
  onProgress: ({ step }) => process.stdout.write(`${step}\n`),
});
await trainer.train({ resume: true });
