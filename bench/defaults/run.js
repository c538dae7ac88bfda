/**
 * What the command line's choice of epochs and learning rate is worth: LoRA on small data sets, judged on rows that it did not see.
 * Prints the table of docs/guides/defaults.md.
 *
 *   node bench/defaults/run.js [--only PATTERN] [--grid] [--model DIR]
 *
 * --grid also tries other learning rates with the chosen epochs. --model measures the sonnets on another language model, too.
 */
import { parseArgs } from "node:util";
import {
  chooseArguments,
  createEngine,
  diagnoseRun,
  evaluateLoss,
  getPeftModel,
  lora,
  Trainer,
} from "../../dist/index.js";
import { sets, withModel } from "./sets.js";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    grid: { type: "boolean", default: false },
    model: { type: "string" },
  },
});
/** What the command line did before it chose. */
const FIXED = { learningRate: 2e-4, numTrainEpochs: 3 };
const RATES = [2e-4, 1e-3, 3e-3, 1e-2];

const engine = await createEngine({ threads: 1 });
console.log(
  "| data | width | fixed: 2e-4, 3 epochs | chosen | with it | best of a grid |\n| --- | --- | --- | --- | --- | --- |",
);
for (const [name, load] of Object.entries(flags.model ? withModel(flags.model) : sets)) {
  if (new RegExp(flags.only).test(name)) await measure(name, await load(engine));
}
engine.dispose();

async function measure(name, { base, metric, targets, train, valid }) {
  const withAdapter = async (use) => {
    const targetModules = targets && { targetModules: targets };
    const model = getPeftModel(base, lora({ r: 8, loraAlpha: 16, ...targetModules }), { seed: 1, onWarning: () => {} });
    const result = await use(model);
    model.dispose();
    return result;
  };
  const run = (args) =>
    withAdapter(async (model) => {
      const trainer = new Trainer({ model, trainDataset: train, args: { seed: 1, ...args } });
      const result = await trainer.train();
      const findings = await diagnoseRun({ result, args: trainer.args, examples: train.length });
      const { loss, metrics } = await evaluateLoss(model, valid, { batchSize: 16 });
      console.error(
        `${name}: ${JSON.stringify({ ...args, step: result.step, loss, ...metrics })} ${findings.map(({ kind }) => kind)}`,
      );
      return { loss, score: metric === "loss" ? -loss : metrics[metric] };
    });
  const shown = ({ loss, score }) =>
    metric === "loss"
      ? `loss ${loss.toFixed(2)}`
      : `loss ${loss.toFixed(2)}, ${metric.replace("_", " ")} ${(100 * score).toFixed(1)} %`;

  const chosen = await withAdapter((model) => chooseArguments(model, train));
  const before = await run(FIXED);
  const after = await run(chosen);
  const others = [];
  for (const learningRate of flags.grid ? RATES : [])
    others.push([learningRate, await run({ ...chosen, learningRate })]);
  const [best] = others.sort(([, one], [, other]) => one.loss - other.loss);
  const choice = `${chosen.learningRate}, ${chosen.numTrainEpochs} epochs`;
  const ofGrid = best ? `${shown(best[1])} at ${best[0]}` : "";
  console.log(`| ${name} | ${base.width} | ${shown(before)} | ${choice} | ${shown(after)} | ${ofGrid} |`);
}
