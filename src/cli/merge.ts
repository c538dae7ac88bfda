/** lorikeet merge: folds an adapter into its base and writes an ordinary model folder. */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { Command } from "commander";
import type { PeftModel } from "../adapt/peft-model.ts";
import { openSource, openTarget } from "../checkpoint/open.ts";
import { StateError } from "../core/errors.ts";
import { saveModel } from "../nn/save-model.ts";
import { type EngineFlags, loadModel, withEngineOptions } from "./model-options.ts";
import { needs } from "./options.ts";
import { print } from "./terminal.ts";

interface Flags extends EngineFlags {
  model: string;
  adapter: string;
  output: string;
  safe?: boolean;
}

/** What lies beside the weights and belongs to the merged model too. */
const companions = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "generation_config.json",
  "chat_template.jinja",
  "vocab.json",
  "merges.txt",
  "tokenizer.model",
  "added_tokens.json",
];

export const command: Command = withEngineOptions(
  new Command("merge")
    .description("Fold an adapter into its base and write an ordinary model folder, in the dtype of the base.")
    .option("--model <dir>", "model folder")
    .option("--adapter <dir>", "adapter folder")
    .option("--output <dir>", "folder to write, with the tokenizer's files copied beside")
    .option("--safe", "check every merged weight for NaN and infinity before anything is changed"),
)
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet merge --model base --adapter runs/sonnets/adapter --output merged --safe`,
  )
  .action(run);

needs(command, "--model", "--adapter", "--output");

async function run(flags: Flags): Promise<void> {
  if ([flags.model, flags.adapter].some((input) => samePlace(input, flags.output))) {
    throw new StateError(`--output ${flags.output} is an input too; merge writes to a folder of its own`);
  }
  const { model } = await loadModel(flags.model, flags.adapter, flags);
  const merged = (model as PeftModel).mergeAndUnload({ safeMerge: flags.safe ?? false });
  const target = openTarget(flags.output);
  await saveModel(merged, target);
  const source = openSource(flags.model);
  for (const file of companions) {
    if (await source.has(file)) await target.write(file, [await source.read(file)]);
  }
  await source.close();
  print(`wrote the merged model to ${flags.output}`);
}

/** Whether two paths lead to one folder, by whatever spelling or link. */
function samePlace(a: string, b: string): boolean {
  return placeOf(a) === placeOf(b);
}

function placeOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path); // not there yet
  }
}
