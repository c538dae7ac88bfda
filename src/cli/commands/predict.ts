/** lorikeet predict: writes a model's prediction for every row, as logits to compare or as answers to use. */
import type { Command } from "commander";
import { openTarget } from "../../checkpoint/open.ts";
import { writeSafetensors } from "../../checkpoint/safetensors.ts";
import { FormatError } from "../../core/errors.ts";
import { type ValuesOf, whole } from "../../core/options.ts";
import type { Example } from "../../data/examples.ts";
import { taskDefinition, taskOfRows } from "../../data/known-tasks.ts";
import { lengthOptions } from "../../data/length-options.ts";
import { concatenateLabelled } from "../../nn/pass/sequences.ts";
import { finiteOutputs } from "../../nn/tasks/finite-outputs.ts";
import { Tape } from "../../tape/tape.ts";
import { AutoTokenizer } from "../../text/auto-tokenizer.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { commandOf } from "../command.ts";
import { dataFlags, examplesOf, rowsOf } from "../data.ts";
import { outputPath } from "../flags/options.ts";
import { type Loaded, loadModel, modelOptions } from "../model-options.ts";
import { splitPath } from "../paths/paths.ts";
import { counted, LiveLine, print } from "../terminal.ts";

const { weights, task, ...files } = modelOptions;
const options = {
  ...files,
  ...dataFlags,
  output: outputPath("output file: .jsonl or .csv for answers, .safetensors for logits", "file"),
  weights,
  task,
  maxLength: lengthOptions.maxLength,
  maxNewTokens: whole(64, 1, "for answers that are text: maximum number of tokens to generate per row"),
  ...engineOptions,
};
type Flags = ValuesOf<typeof options>;

export const command: Command = commandOf("predict", {
  description:
    'Write the prediction for every row. To .safetensors: logits, one float32 tensor per row, named "0", "1", ...; ' +
    "to .jsonl or .csv: labels, answers or generated text, an object or a line per row. A decoder-only language model continues the prompt of a " +
    'row (of a conversation, all before its last answer); what the row says should follow is written beside it as "reference".',
  options,
  examples: `
    $ lorikeet predict --model base --adapter runs/sonnets/adapter --data rows.jsonl --output logits.safetensors
    $ lorikeet predict --model base --adapter runs/spam/adapter --data mail.jsonl --output labels.jsonl`,
  run,
});

async function run(flags: Flags): Promise<void> {
  const format = formatOf(flags.output);
  const rows = await rowsOf(flags.data, flags.model, flags);
  const loaded = await loadModel({ ...flags, task: flags.task ?? taskOfRows(rows) });
  const [folder, file] = splitPath(flags.output);
  const inWords = format !== ".safetensors";
  const options = { modelFolder: flags.model, maxLength: flags.maxLength, unlabelled: true, prompts: inWords };
  const examples = await examplesOf(flags.data, rows, loaded.base, options);
  const line = new LiveLine();
  const done = (row: number) => line.show(`row ${row + 1} of ${examples.length}`);
  const target = openTarget(folder);
  if (inWords) await target.write(file, writers[format](answers(loaded, examples, flags, done)));
  else
    await writeSafetensors(
      target,
      file,
      examples.map((example, row) => logitsTensor(loaded, example, row, done)),
    );
  line.end();
  print(`wrote ${inWords ? "answers for" : "logits of"} ${counted(examples.length, "row")} to ${flags.output}`);
}

/** How answers are written, by the ending of the file. */
const writers = {
  async *".jsonl"(answers: AsyncIterable<object>): AsyncIterable<Uint8Array> {
    for await (const answer of answers) yield new TextEncoder().encode(`${JSON.stringify(answer)}\n`);
  },
  async *".csv"(answers: AsyncIterable<object>): AsyncIterable<Uint8Array> {
    const { default: csv } = await import("papaparse");
    const cell = (value: unknown) => (typeof value === "string" || value === undefined ? value : JSON.stringify(value));
    const rows: [string, unknown][][] = [];
    for await (const answer of answers) rows.push(Object.entries(answer));
    const columns = [...new Set(rows.flatMap((row) => row.map(([name]) => name)))];
    const cells = rows.map((row) => Object.fromEntries(row.map(([name, value]) => [name, cell(value)])));
    yield new TextEncoder().encode(`${csv.unparse(cells, { columns, newline: "\n" })}\n`);
  },
} as const;

type Format = keyof typeof writers | ".safetensors";

/** The format of a file by its ending. Throws FormatError for any other. */
function formatOf(file: string): Format {
  const endings = [...(Object.keys(writers) as Format[]), ".safetensors" as const];
  const found = endings.find((ending) => file.endsWith(ending));
  if (found !== undefined) return found;
  throw new FormatError(
    `--output is "${file}", expected a file that ends in .jsonl or .csv (answers) or .safetensors (logits)`,
  );
}

/** The outputs of one row, computed when they are written, so that only one row is in memory at a time. */
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
  const batch = concatenateLabelled([example]); // an encoder-decoder scores the target
  let shape: readonly number[] = [];
  const run = (tape: Tape) => {
    const outputs = model.outputs(tape, batch);
    shape = outputs.shape;
    return finiteOutputs(tape, outputs, `predict: ${example.where ?? "a row"}`).data;
  };
  if (!shapeOnly) return { values: Tape.once(engine, {}, run), shape };
  Tape.plan(engine, {}, run);
  return { values: new Float32Array(0), shape };
}

/** The answer for each row. */
async function* answers(
  loaded: Loaded,
  examples: readonly Example[],
  flags: Flags,
  done: (row: number) => void,
): AsyncIterable<object> {
  const present = await presenter(loaded, flags);
  for (const [row, example] of examples.entries()) {
    done(row);
    yield (await present(example)) as object;
  }
}

/** Converts an example to the answer shown to users, as its task defines. */
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
