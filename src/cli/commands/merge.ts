import { type Command, InvalidArgumentError } from "commander";
import { DEFAULT_ADAPTER } from "../../adapt/adapter-name.ts";
import { COMBINATIONS } from "../../adapt/derive/combine.ts";
import { PeftModel } from "../../adapt/peft-model.ts";
import { adapterFacts, headFrom } from "../../auto/adapter-facts.ts";
import { StateError } from "../../core/errors.ts";
import { flag, number, oneOf, orNull, type ValuesOf, whole, wholeOrNull } from "../../core/options.ts";
import { saveModel } from "../../nn/tensors/save-model.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { commandOf } from "../command.ts";
import { copyProcessingFiles } from "../copy-processing-files.ts";
import { expectSameOutputs, probeFor } from "../expect-same-outputs.ts";
import { outputPath, RequiredFlag } from "../flags/options.ts";
import { engineFor, loadBase, modelOptions } from "../model-options.ts";
import { expectAdapter, expectModel, expectNoFile } from "../paths/mistaken-paths.ts";
import { adapterFolder } from "../paths/paths.ts";
import { replaceOutput, samePlace } from "../replace-output.ts";
import { notice, print } from "../terminal.ts";

interface Weighted {
  readonly folder: string;
  readonly weight: number;
}

const options = {
  model: modelOptions.model,
  combine: oneOf(COMBINATIONS, "cat", { help: "how to combine several adapters" }),
  rank: wholeOrNull(1, { help: "rank of the result, for combinations that end in svd" }),
  density: orNull(
    number(1, { help: "fraction of the values to keep, for combinations that prune" }, { above: 0, most: 1 }),
  ),
  seed: whole(0, 0, { help: "seed of random pruning" }),
  adapterOnly: flag(false, { help: "write the combined adapter instead of a merged model" }),
  output: outputPath("folder to write, including the tokenizer's files"),
  safe: flag(false, { help: "check every merged weight for NaN and infinity before anything is changed" }),
  ...engineOptions,
};
type Flags = ValuesOf<typeof options> & { readonly adapter: readonly Weighted[] };

/** May be repeated, which declared options do not support. */
const adapterFlag = new RequiredFlag(
  "--adapter <dir[:weight]>",
  "adapter folder; repeat for several adapters, each with its own weight",
).argParser(collect);

export const command: Command = commandOf("merge", {
  description:
    "Merge one or more weighted adapters into their base and write an ordinary model folder in the base's dtype.",
  options,
  examples: `
    $ lorikeet merge --model base --adapter runs/sonnets/adapter --output merged --safe
    $ lorikeet merge --model base --adapter runs/poems/adapter:0.7 --adapter runs/mail/adapter:0.3 \\
        --combine ties --density 0.5 --output both`,
  async run(values, command) {
    const adapter: Weighted[] | undefined = command.getOptionValue("adapter");
    await run({ ...values, adapter: adapter! });
  },
}).addOption(adapterFlag);

/** "runs/a:0.5" as folder and weight; the default weight is 1. */
function collect(text: string, before: readonly Weighted[] = []): Weighted[] {
  const [, folder, weight] = /^(.+?)(?::(-?[\d.]+(?:e-?\d+)?))?$/i.exec(text) ?? [];
  if (folder === undefined || Number.isNaN(Number(weight ?? 1)))
    throw new InvalidArgumentError("Expected a folder, followed by :WEIGHT if the weight is not 1.");
  return [...before, { folder: adapterFolder(folder), weight: Number(weight ?? 1) }];
}

async function run(flags: Flags): Promise<void> {
  const inputs = [flags.model, ...flags.adapter.map(({ folder }) => folder)];
  if (inputs.some((input) => samePlace(input, flags.output))) {
    throw new StateError(`--output ${flags.output} is also an input; merge writes to another folder`);
  }
  expectModel(flags.model);
  for (const { folder } of flags.adapter) expectAdapter(folder);
  expectNoFile(flags.output, "--output");
  const told = await adapterFacts(flags.adapter[0]!.folder);
  const base = await loadBase(flags.model, engineFor(flags), told.task, headFrom(told));
  const model = new PeftModel(base, { onWarning: notice });
  const result = await combined(model, flags);
  model.setAdapter(result);
  if (flags.adapterOnly) {
    await replaceOutput(flags.output, (target) => model.savePretrained(target, { selectedAdapters: [result] }));
    print(`wrote the adapter to ${flags.output}`);
    return;
  }
  const probe = probeFor(base);
  const expected = model.forward(probe).data;
  const merged = model.mergeAndUnload({ safeMerge: flags.safe });
  await replaceOutput(flags.output, async (target) => {
    await saveModel(merged, target);
    await copyProcessingFiles(flags.model, target, flags.adapter[0]!.folder);
  });
  merged.dispose(); // its place is needed
  const written = await loadBase(flags.output, engineFor(flags), base.task);
  expectSameOutputs(flags.output, written, probe, expected);
  print(`wrote the merged model to ${flags.output}, and checked that it says what base and adapter say`);
}

/** Loads the adapters and returns the name of the result: the single adapter at weight 1, or the combination. */
async function combined(model: PeftModel, { adapter: adapters, combine, rank, density, seed }: Flags): Promise<string> {
  const [first] = adapters;
  if (adapters.length === 1 && first!.weight === 1) {
    await model.loadAdapter(first!.folder, DEFAULT_ADAPTER);
    return DEFAULT_ADAPTER;
  }
  const names = adapters.map((_, i) => `part${i + 1}`);
  for (const [i, { folder }] of adapters.entries()) await model.loadAdapter(folder, names[i]!);
  const weights = adapters.map(({ weight }) => weight);
  const options = { combination: combine, rank, density, seed };
  model.addWeightedAdapter(names, weights, DEFAULT_ADAPTER, options);
  return DEFAULT_ADAPTER;
}
