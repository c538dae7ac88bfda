/** lorikeet eval: loss and metrics of a model on a data file. */
import { Command } from "commander";
import { taskOfRows } from "../../data/known-tasks.ts";
import { evaluateLoss } from "../../train/evaluate.ts";
import { examplesOf, rowsOf } from "../data.ts";
import { type LoadFlags, loadModel, taskOption, weightsOption, withEngineOptions } from "../model-options.ts";
import { needs, whole } from "../options.ts";
import { grouped, LiveLine, print } from "../terminal.ts";

interface Flags extends LoadFlags {
  data: string;
  maxLength?: number;
  batchSize: number;
  json?: boolean;
}

export const command: Command = withEngineOptions(
  new Command("eval")
    .description("Measure loss, and perplexity or the metrics of the task, on a data file.")
    .option("--model <dir>", "model folder, or a name on the hub")
    .option("--adapter <dir>", "adapter folder to use on top of it")
    .option("--data <file>", ".jsonl or .txt file")
    .addOption(weightsOption())
    .addOption(taskOption())
    .option("--max-length <n>", "cut longer rows off after this many tokens", whole(2))
    .option("--batch-size <n>", "rows computed together", whole(1), 8)
    .option("--json", "print one JSON object"),
)
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet eval --model examples/pocket --data examples/sonnets/valid.jsonl
  $ lorikeet eval --model base --adapter runs/sonnets/adapter --data valid.jsonl --json`,
  )
  .action(run);

needs(command, "--model", "--data");

async function run(flags: Flags): Promise<void> {
  const rows = await rowsOf(flags.data, flags.model);
  const { model, base } = await loadModel({ ...flags, task: flags.task ?? taskOfRows(rows) ?? undefined });
  const examples = await examplesOf(flags.data, rows, base, { modelFolder: flags.model, maxLength: flags.maxLength });
  const line = new LiveLine();
  const { loss, perplexity, metrics, tokens } = await evaluateLoss(model, examples, {
    batchSize: flags.batchSize,
    onProgress: (done, all) => line.show(`${done} of ${all} rows`),
  });
  line.end();
  const isText = Object.keys(metrics).length === 0;
  const numbers = isText ? { perplexity } : metrics;
  if (flags.json) {
    print(JSON.stringify({ loss, ...numbers, [isText ? "tokens" : "labels"]: tokens, rows: examples.length }));
    return;
  }
  const shown = Object.entries(numbers).map(([name, value]) => `${name} ${value.toFixed(isText ? 3 : 4)}`);
  const counted = `${isText ? "label tokens" : "labels"} ${grouped(tokens)}`;
  print([`loss ${loss.toFixed(4)}`, ...shown, counted, `rows ${grouped(examples.length)}`].join("   "));
}
