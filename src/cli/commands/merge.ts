/** lorikeet merge: folds adapters into their base and writes an ordinary model folder, or combines them to one adapter. */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { DEFAULT_ADAPTER } from "../../adapt/adapter-name.ts";
import { COMBINATIONS, type Combination } from "../../adapt/derive/combine.ts";
import { PeftModel } from "../../adapt/peft-model.ts";
import { openTarget } from "../../checkpoint/open.ts";
import { StateError } from "../../core/errors.ts";
import { saveModel } from "../../nn/tensors/save-model.ts";
import { copyProcessingFiles } from "../copy-processing-files.ts";
import {
  type EngineFlags,
  headFrom,
  loadBase,
  openEngine,
  toldByAdapter,
  withEngineOptions,
} from "../model-options.ts";
import { needs, number, whole } from "../options.ts";
import { notice, print } from "../terminal.ts";

interface Weighted {
  readonly folder: string;
  readonly weight: number;
}

interface Flags extends EngineFlags {
  model: string;
  adapter: Weighted[];
  combine: Combination;
  rank?: number;
  density?: number;
  seed: number;
  adapterOnly?: boolean;
  output: string;
  safe?: boolean;
}

export const command: Command = withEngineOptions(
  new Command("merge")
    .description(
      "Fold an adapter, or several by weight, into their base and write an ordinary model folder, in the dtype of the base.",
    )
    .option("--model <dir>", "model folder, or a name on the hub")
    .option("--adapter <dir[:weight]>", "adapter folder; may be given several times, each with its weight", collect)
    .addOption(new Option("--combine <name>", "how several adapters become one").choices(COMBINATIONS).default("cat"))
    .option("--rank <n>", "of combinations that end in svd: rank of the result", whole(1))
    .option("--density <x>", "of combinations that prune: share of the numbers to keep", number(0, 1))
    .option("--seed <n>", "of random pruning: decides what is kept", whole(0), 0)
    .option("--adapter-only", "write the combined adapter instead of a merged model")
    .option("--output <dir>", "folder to write, with the tokenizer's files copied beside")
    .option("--safe", "check every merged weight for NaN and infinity before anything is changed"),
)
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet merge --model base --adapter runs/sonnets/adapter --output merged --safe
  $ lorikeet merge --model base --adapter runs/poems/adapter:0.7 --adapter runs/mail/adapter:0.3 \\
      --combine ties --density 0.5 --output both`,
  )
  .action(run);

needs(command, "--model", "--adapter", "--output");

/** "runs/a:0.5" as folder and weight, 1 where none is given. */
function collect(text: string, before: readonly Weighted[] = []): Weighted[] {
  const [, folder, weight] = /^(.+?)(?::(-?[\d.]+(?:e-?\d+)?))?$/i.exec(text) ?? [];
  if (folder === undefined || Number.isNaN(Number(weight ?? 1)))
    throw new InvalidArgumentError("Expected a folder, with :WEIGHT behind it if it is not 1.");
  return [...before, { folder, weight: Number(weight ?? 1) }];
}

async function run(flags: Flags): Promise<void> {
  const inputs = [flags.model, ...flags.adapter.map(({ folder }) => folder)];
  if (inputs.some((input) => samePlace(input, flags.output))) {
    throw new StateError(`--output ${flags.output} is an input too; merge writes to a folder of its own`);
  }
  const engine = await openEngine(flags);
  const told = await toldByAdapter(flags.adapter[0]!.folder);
  const base = await loadBase(flags.model, engine, told.task, headFrom(told));
  const model = new PeftModel(base, { onWarning: notice });
  const result = await combined(model, flags);
  model.setAdapter(result);
  const target = openTarget(flags.output);
  if (flags.adapterOnly) {
    await model.savePretrained(target, { selectedAdapters: [result] });
    print(`wrote the adapter to ${flags.output}`);
    return;
  }
  const merged = model.mergeAndUnload({ safeMerge: flags.safe ?? false });
  await saveModel(merged, target);
  await copyProcessingFiles(flags.model, target);
  print(`wrote the merged model to ${flags.output}`);
}

/** Loads the adapters and returns the name of what they make: the only one at weight 1, or their combination. */
async function combined(model: PeftModel, { adapter: adapters, combine, rank, density, seed }: Flags): Promise<string> {
  const [first] = adapters;
  if (adapters.length === 1 && first!.weight === 1) {
    await model.loadAdapter(first!.folder, DEFAULT_ADAPTER);
    return DEFAULT_ADAPTER;
  }
  const names = adapters.map((_, i) => `part${i + 1}`);
  for (const [i, { folder }] of adapters.entries()) await model.loadAdapter(folder, names[i]!);
  const weights = adapters.map(({ weight }) => weight);
  const options = { combination: combine, rank: rank ?? null, density: density ?? null, seed };
  model.addWeightedAdapter(names, weights, DEFAULT_ADAPTER, options);
  return DEFAULT_ADAPTER;
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
