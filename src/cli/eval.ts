/** lorikeet eval: loss and perplexity of a model on a data file. */
import { Command } from "commander";
import { evaluateLoss } from "../train/evaluate.ts";
import { readExamples } from "./data.ts";
import { type EngineFlags, loadModel, withEngineOptions } from "./model-options.ts";
import { needs, whole } from "./options.ts";
import { grouped, LiveLine, print } from "./terminal.ts";

interface Flags extends EngineFlags {
  model: string;
  adapter?: string;
  data: string;
  maxLength?: number;
  batchSize: number;
  json?: boolean;
}

export const command: Command = withEngineOptions(
  new Command("eval")
    .description("Measure loss and perplexity on a data file.")
    .option("--model <dir>", "model folder")
    .option("--adapter <dir>", "adapter folder to use on top of it")
    .option("--data <file>", ".jsonl or .txt file")
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
  const { model, base } = await loadModel(flags.model, flags.adapter, flags);
  const { vocabSize, contextLength } = base;
  const limits = { modelFolder: flags.model, vocabSize, contextLength, maxLength: flags.maxLength };
  const examples = await readExamples(flags.data, limits);
  const line = new LiveLine();
  const { loss, perplexity, tokens } = await evaluateLoss(model, examples, {
    batchSize: flags.batchSize,
    onProgress: (done, all) => line.show(`${done} of ${all} rows`),
  });
  line.end();
  if (flags.json) print(JSON.stringify({ loss, perplexity, tokens, rows: examples.length }));
  else
    print(
      `loss ${loss.toFixed(4)}   perplexity ${perplexity.toFixed(3)}   label tokens ${grouped(tokens)}   rows ${grouped(examples.length)}`,
    );
}
