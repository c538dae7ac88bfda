/** lorikeet predict: the logits of every row, for comparing with other implementations and for scoring elsewhere. */
import { Command } from "commander";
import { openTarget } from "../checkpoint/open.ts";
import { writeSafetensors } from "../checkpoint/safetensors.ts";
import { concatenate } from "../nn/sequences.ts";
import { Tape } from "../tape/tape.ts";
import { readExamples, splitPath } from "./data.ts";
import { type EngineFlags, loadModel, withEngineOptions } from "./model-options.ts";
import { needs, whole } from "./options.ts";
import { grouped, LiveLine, print } from "./terminal.ts";

interface Flags extends EngineFlags {
  model: string;
  adapter?: string;
  data: string;
  output: string;
  maxLength?: number;
}

export const command: Command = withEngineOptions(
  new Command("predict")
    .description(
      'Write the logits of every row to a safetensors file: one float32 tensor a row, named "0", "1", ... [tokens, vocabulary].',
    )
    .option("--model <dir>", "model folder")
    .option("--adapter <dir>", "adapter folder to use on top of it")
    .option("--data <file>", ".jsonl or .txt file")
    .option("--output <file>", "where to write, ends in .safetensors")
    .option("--max-length <n>", "cut longer rows off after this many tokens", whole(2)),
)
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet predict --model base --adapter runs/sonnets/adapter --data rows.jsonl --output logits.safetensors`,
  )
  .action(run);

needs(command, "--model", "--data", "--output");

async function run(flags: Flags): Promise<void> {
  const { engine, base, model } = await loadModel(flags.model, flags.adapter, flags);
  const { vocabSize, contextLength } = base;
  const limits = { modelFolder: flags.model, vocabSize, contextLength, maxLength: flags.maxLength };
  const examples = await readExamples(flags.data, { ...limits, unlabelled: true });
  const line = new LiveLine();
  const tensors = examples.map(({ inputIds }, row) => ({
    name: String(row),
    dtype: "F32" as const,
    shape: [inputIds.length, vocabSize],
    // Computed when its turn to be written comes, so that one row at a time is in memory.
    bytes: () => {
      line.show(`row ${row + 1} of ${examples.length}`);
      const logits = Tape.once(engine, {}, (tape) => tape.download(model.outputs(tape, concatenate([inputIds]))));
      return new Uint8Array(logits.buffer);
    },
  }));
  const [folder, file] = splitPath(flags.output);
  await writeSafetensors(openTarget(folder), file, tensors);
  line.end();
  print(`wrote logits of ${grouped(examples.length)} rows to ${flags.output}`);
}
