/** lorikeet eval: loss and metrics of a model on a data file. */
import type { Command } from "commander";
import { flag, type ValuesOf } from "../../core/options.ts";
import { taskOfRows } from "../../data/known-tasks.ts";
import { lengthOptions } from "../../data/length-options.ts";
import { settings } from "../../train/arguments.ts";
import { evaluateLoss } from "../../train/evaluation/evaluate.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { commandOf } from "../command.ts";
import { dataFlags, examplesOf, rowsOf } from "../data.ts";
import { loadModel, modelOptions } from "../model-options.ts";
import { counted, grouped, LiveLine, print } from "../terminal.ts";

const { weights, task, ...files } = modelOptions;
const options = {
  ...files,
  ...dataFlags,
  weights,
  task,
  maxLength: lengthOptions.maxLength,
  labelsCut: lengthOptions.labelsCut,
  batchSize: { ...settings.perDeviceEvalBatchSize, help: "rows per batch", spelled: "batch-size" },
  json: flag(false, "print one JSON object"),
  ...engineOptions,
};

export const command: Command = commandOf("eval", {
  description: "Measure the loss and the perplexity or task metrics on a data file.",
  options,
  examples: `
    $ lorikeet eval --model examples/pocket --data examples/sonnets/valid.jsonl
    $ lorikeet eval --model base --adapter runs/sonnets/adapter --data valid.jsonl --json`,
  run,
});

async function run(flags: ValuesOf<typeof options>): Promise<void> {
  const rows = await rowsOf(flags.data, flags.model, flags);
  const { model, base } = await loadModel({ ...flags, task: flags.task ?? taskOfRows(rows) });
  const { maxLength, labelsCut } = flags;
  const examples = await examplesOf(flags.data, rows, base, { modelFolder: flags.model, maxLength, labelsCut });
  const line = new LiveLine();
  const { loss, perplexity, metrics, tokens } = await evaluateLoss(model, examples, {
    batchSize: flags.batchSize,
    onProgress: (done, all) => line.show(`${done} of ${counted(all, "row")}`),
  });
  line.end();
  const isText = Object.keys(metrics).length === 0;
  const numbers = isText ? { perplexity } : metrics;
  if (flags.json) {
    print(JSON.stringify({ loss, ...numbers, [isText ? "tokens" : "labels"]: tokens, rows: examples.length }));
    return;
  }
  const shown = Object.entries(numbers).map(([name, value]) => `${name} ${value.toFixed(isText ? 3 : 4)}`);
  const labels = `${isText ? "label tokens" : "labels"} ${grouped(tokens)}`;
  print([`loss ${loss.toFixed(4)}`, ...shown, labels, `rows ${grouped(examples.length)}`].join("   "));
}
