/** Trains the toys through the public face of the package that has them. Argument: the folder to write to. */
import { writeFileSync } from "node:fs";
import {
  autoModelFor,
  evaluateLoss,
  fullTraining,
  getPeftModel,
  loadDataset,
  memoryRun,
  PeftModel,
  saveModel,
  Trainer,
} from "./src/index.ts";
import { toyShift } from "./src/methods/toy_shift.ts";

const [folder] = process.argv.slice(2) as [string];
const sizes = [16, 9, 25, 4, 36, 16];
const rows = sizes.map((places, row) => {
  const depths = Array.from({ length: places }, (_, i) => ((i * 7 + row * 3) % 10) / 10);
  return { depths, volume: depths.reduce((a, b) => a + b, 0) / places };
});
writeFileSync(`${folder}/basins.jsonl`, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

const task = "TOY_VOLUME";
const config = { model_type: "toynet", architectures: ["ToyNetForVolume"], channels: 4 };
const base = await autoModelFor(task).fromConfig(config, { seed: 1 });
const examples = await loadDataset(`${folder}/basins.jsonl`, null, base, { task });
const args = { maxSteps: 20, learningRate: 0.05, perDeviceTrainBatchSize: 6 };

const before = await evaluateLoss(base, examples);
await new Trainer({ model: fullTraining(base, async () => {}), args, trainDataset: examples }).train();
const trained = await evaluateLoss(base, examples);
await saveModel(base, `${folder}/base`);

const loaded = await autoModelFor(task).fromPretrained(`${folder}/base`);
const peft = getPeftModel(loaded, toyShift(), { onWarning: () => {} });
const output = memoryRun();
await new Trainer({ model: peft, args, trainDataset: examples, outputDir: output }).train();
const adapted = await evaluateLoss(peft, examples);
await peft.savePretrained(`${folder}/adapter`);
const again = await PeftModel.fromPretrained(
  await autoModelFor(task).fromPretrained(`${folder}/base`),
  `${folder}/adapter`,
);
const reloaded = await evaluateLoss(again, examples);
peft.mergeAdapter();
const merged = await evaluateLoss(peft, examples);
console.log(JSON.stringify({ before, trained, adapted, reloaded, merged }));
