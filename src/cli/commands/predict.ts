/** lorikeet predict: what a model says of every row, as numbers to compare or as answers to use. */
import { Command } from "commander";
import { openTarget } from "../../checkpoint/open.ts";
import { writeSafetensors } from "../../checkpoint/safetensors.ts";
import type { Example } from "../../data/examples.ts";
import { taskDefinition, taskOfRows } from "../../data/known-tasks.ts";
import { concatenateLabelled } from "../../nn/pass/sequences.ts";
import { Tape } from "../../tape/tape.ts";
import { AutoTokenizer } from "../../text/auto-tokenizer.ts";
import { examplesOf, rowsOf, splitPath } from "../data.ts";
import {
  type Loaded,
  type LoadFlags,
  loadModel,
  taskOption,
  weightsOption,
  withEngineOptions,
} from "../model-options.ts";
import { needs, whole } from "../options.ts";
import { grouped, LiveLine, print } from "../terminal.ts";

interface Flags extends LoadFlags {
  data: string;
  output: string;
  maxLength?: number;
  maxNewTokens: number;
}

export const command: Command = withEngineOptions(
  new Command("predict")
    .description(
      'Write what a model says of every row. To .safetensors: its logits, one float32 tensor a row, named "0", "1", ...; ' +
        "to .jsonl: labels, answers or written text, one JSON object a row.",
    )
    .option("--model <dir>", "model folder, or a name on the hub")
    .option("--adapter <dir>", "adapter folder to use on top of it")
    .option("--data <file>", ".jsonl or .txt file")
    .option("--output <file>", "where to write, ends in .safetensors or .jsonl")
    .addOption(weightsOption())
    .addOption(taskOption())
    .option("--max-length <n>", "cut longer rows off after this many tokens", whole(2))
    .option("--max-new-tokens <n>", "of .jsonl: longest text to write for a row", whole(1), 64),
)
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet predict --model base --adapter runs/sonnets/adapter --data rows.jsonl --output logits.safetensors
  $ lorikeet predict --model base --adapter runs/spam/adapter --data mail.jsonl --output labels.jsonl`,
  )
  .action(run);

needs(command, "--model", "--data", "--output");

async function run(flags: Flags): Promise<void> {
  const rows = await rowsOf(flags.data, flags.model);
  const loaded = await loadModel({ ...flags, task: flags.task ?? taskOfRows(rows) ?? undefined });
  const options = { modelFolder: flags.model, maxLength: flags.maxLength, unlabelled: true };
  const examples = await examplesOf(flags.data, rows, loaded.base, options);
  const line = new LiveLine();
  const done = (row: number) => line.show(`row ${row + 1} of ${examples.length}`);
  const [folder, file] = splitPath(flags.output);
  const target = openTarget(folder);
  const inWords = file.endsWith(".jsonl");
  if (inWords) await target.write(file, answers(loaded, examples, flags, done));
  else
    await writeSafetensors(
      target,
      file,
      examples.map((example, row) => logitsTensor(loaded, example, row, done)),
    );
  line.end();
  print(`wrote ${inWords ? "answers for" : "logits of"} ${grouped(examples.length)} rows to ${flags.output}`);
}

/** The outputs of one row, computed when its turn to be written comes, so that one row at a time is in memory. */
function logitsTensor(loaded: Loaded, example: Example, row: number, done: (row: number) => void) {
  const { shape } = outputsOf(loaded, example, true);
  return {
    name: String(row),
    dtype: "F32" as const,
    shape,
    bytes: () => {
      done(row);
      return new Uint8Array(outputsOf(loaded, example).values.buffer);
    },
  };
}

function outputsOf({ engine, model }: Loaded, example: Example, shapeOnly = false) {
  const batch = concatenateLabelled([example]); // an encoder-decoder scores its target
  let shape: readonly number[] = [];
  const run = (tape: Tape) => {
    const outputs = model.outputs(tape, batch);
    shape = outputs.shape;
    return tape.download(outputs);
  };
  if (!shapeOnly) return { values: Tape.once(engine, {}, run), shape };
  Tape.plan(engine, {}, run);
  return { values: new Float32Array(0), shape };
}

/** One JSON line a row. */
async function* answers(
  loaded: Loaded,
  examples: readonly Example[],
  flags: Flags,
  done: (row: number) => void,
): AsyncIterable<Uint8Array> {
  const present = await presenter(loaded, flags);
  for (const [row, example] of examples.entries()) {
    done(row);
    yield new TextEncoder().encode(`${JSON.stringify(await present(example))}\n`);
  }
}

/** Makes of an example what users are told, as its task says. */
async function presenter({ base, model, ...loaded }: Loaded, flags: Flags): Promise<(example: Example) => unknown> {
  const outputs = (example: Example) => outputsOf({ base, model, ...loaded }, example).values;
  const { labelNames, problemType } = base;
  const definition = taskDefinition(base.task);
  const present = await definition.present?.({
    ...{ model, outputs, labelNames: labelNames ?? [], problemType, maxNewTokens: flags.maxNewTokens },
    tokenizer: () => AutoTokenizer.fromPretrained(flags.model),
  });
  return present ?? ((example) => ({ values: Array.from(outputs(example)) }));
}
