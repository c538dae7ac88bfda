/** lorikeet inspect: shows what a model or adapter folder contains. */
import type { Command } from "commander";
import { countWeights, describeAdapter } from "../../adapt/describe.ts";
import { CONFIG_FILE, WEIGHTS_FILE } from "../../adapt/files/config-file.ts";
import { openAdapterWeights } from "../../adapt/files/load.ts";
import { trainableLine } from "../../adapt/trainable-line.ts";
import { type DescribedModel, describeModel } from "../../auto/auto-model.ts";
import { openCheckpoint, readJson } from "../../checkpoint/checkpoint.ts";
import { openSource } from "../../checkpoint/open.ts";
import { FormatError, StateError } from "../../core/errors.ts";
import type { Source } from "../../core/host.ts";
import { flag, type Options, text, type ValuesOf } from "../../core/options.ts";
import { formatShape, sizeOf } from "../../core/shape.ts";
import { lengthOptions } from "../../data/length-options.ts";
import type { RawConfig } from "../../nn/config.ts";
import type { Module } from "../../nn/layers/weights.ts";
import { settings } from "../../train/arguments.ts";
import { engineOptions } from "../../wasm/engine-options.ts";
import { formatBytes } from "../../wasm/memory.ts";
import type { TrainingMethod } from "../adapter-from-flags.ts";
import { DeclaredCommand } from "../command.ts";
import { addOptions, alternatives, givenFlags, valuesOf } from "../flags/options.ts";
import { methodOption, methodOptions } from "../method-options.ts";
import { modelOptions } from "../model-options.ts";
import { expectFile, expectNoFile } from "../paths/mistaken-paths.ts";
import { adapterFolder, splitPath } from "../paths/paths.ts";
import { grouped, notice, print } from "../terminal.ts";
import { showPlan } from "./inspect-plan.ts";
import { verify } from "./inspect-verify.ts";

interface Line {
  name: string;
  kind: string;
  shape: string;
  parameters: number;
}

const { perDeviceTrainBatchSize, gradientCheckpointing, optim, optimArgs } = settings;
const { maxLength, maxTargetLength } = lengthOptions;

const common = true;
const shown = {
  adapterConfig: text({
    help: "count the parameters that an adapter with this adapter_config.json would train",
    placeholder: "file",
  }),
  grouped: flag(false, "print counts in the format of newer PEFT versions: 2,359,296 and four digits"),
  json: flag(false, { help: "print one JSON object", common }),
  verify: flag(false, {
    help: "check every file against the hashes that were written with it: of an adapter, a checkpoint or a whole run",
    common,
  }),
  plan: flag(false, {
    help: "show how much memory training would need, based on config.json and the options below",
    common,
  }),
} satisfies Options;

/** What is planned. */
const planned = {
  weights: modelOptions.weights,
  task: modelOptions.task,
  perDeviceTrainBatchSize,
  maxLength: { ...maxLength, help: "tokens per row (default: 512, or the model's context)" },
  maxTargetLength: { ...maxTargetLength, help: "tokens per target of an encoder-decoder (default: --max-length)" },
  gradientCheckpointing,
  optim,
  optimArgs,
  ...engineOptions,
} satisfies Options;

const options = { ...shown, ...planned };
type Flags = ValuesOf<typeof options>;

/** The command, with the options of one method for --plan. */
export function inspectCommand(chosen: TrainingMethod): Command {
  const own = chosen.method === null ? {} : methodOptions(chosen.method);
  const command: Command = new DeclaredCommand("inspect", EXAMPLES)
    .description(
      "Show what a model or adapter folder contains, or how much memory training would need. No weights are loaded.",
    )
    .argument("<dir>", "model or adapter folder; with --plan also a name on the hub");
  const method = { method: methodOption() };
  addOptions(command, shown);
  addOptions(command, planned, "With --plan");
  addOptions(command, { ...method, ...own }, chosen.method?.about.title ?? "Full training");
  const idle = [...Object.keys(method), ...Object.keys(planned), ...Object.keys(own)];
  command.action((dir: string) =>
    run(valuesOf(command, options).verify ? dir : adapterFolder(dir), command, chosen, idle),
  );
  return alternatives(command, ["adapterConfig"], Object.keys(own));
}

const EXAMPLES = `
  $ lorikeet inspect examples/pocket
  $ lorikeet inspect runs/sonnets/adapter --json
  $ lorikeet inspect base --adapter-config adapter_config.json
  $ lorikeet inspect runs/sonnets --verify
  $ lorikeet inspect base --plan --batch-size 4 --max-length 1024
  $ lorikeet inspect bigscience/mt0-large --plan --weights int8 --method ia3
  $ lorikeet inspect base --plan --method lora --r 16 --use-dora --gradient-checkpointing --json`;

/** `plansOnly` are the options that apply only with --plan. */
async function run(dir: string, command: Command, chosen: TrainingMethod, plansOnly: readonly string[]): Promise<void> {
  const flags = valuesOf(command, options);
  if (flags.plan) return showPlan(dir, flags, command, chosen);
  const idle = givenFlags(command, plansOnly).map(({ long }) => long);
  if (idle.length > 0) throw new StateError(`${idle.join(", ")}: only used with --plan; add --plan`);
  expectNoFile(dir, "inspect");
  const source = openSource(dir);
  try {
    if (flags.verify) await verify(source, flags.json);
    else if (await source.has(CONFIG_FILE)) await showAdapter(source, flags);
    else if (await source.has("config.json")) await showModel(source, flags);
    else {
      await source.list(); // reports a missing folder
      throw new FormatError(`${source.name} has neither "config.json" (a model) nor "${CONFIG_FILE}" (an adapter)`);
    }
  } finally {
    await source.close();
  }
}

async function readConfig(source: Source, file: string): Promise<RawConfig> {
  const config = await readJson(source, file);
  if (typeof config === "object" && config !== null && !Array.isArray(config)) return config as RawConfig;
  throw new FormatError(`"${file}" in ${source.name} must contain a JSON object`);
}

async function showAdapter(source: Source, flags: Flags): Promise<void> {
  if (flags.adapterConfig !== null) {
    throw new StateError(`--adapter-config needs a model, but ${source.name} is an adapter: pass a model folder`);
  }
  const config = await readConfig(source, CONFIG_FILE);
  const tensors = await openAdapterWeights(source);
  const inTensors = Array.from(tensors.values()).reduce((sum, t) => sum + t.byteLength, 0);
  const bytes = (await source.has(WEIGHTS_FILE)) ? await source.size(WEIGHTS_FILE) : inTensors;
  const parameters = Array.from(tensors.values()).reduce((sum, t) => sum + sizeOf(t.shape), 0);
  if (flags.json) {
    const list = Array.from(tensors, ([name, t]) => ({ name, dtype: t.dtype, shape: t.shape }));
    print(JSON.stringify({ kind: "adapter", config, tensors: list, parameters, bytes }));
    return;
  }
  print(
    `adapter: ${config.peft_type ?? "AdapterHub's"} for ${config.base_model_name_or_path || config.model_name || "an unnamed base"}, task ${config.task_type ?? "not stated"}`,
  );
  for (const key of [
    "r",
    "lora_alpha",
    "lora_dropout",
    "use_rslora",
    "use_dora",
    "bias",
    "target_modules",
    "modules_to_save",
  ]) {
    const value = config[key];
    if (value !== undefined && value !== null && value !== false) print(`  ${key}: ${JSON.stringify(value)}`);
  }
  table(
    Array.from(tensors, ([name, t]) => ({
      name,
      kind: t.dtype,
      shape: formatShape(t.shape),
      parameters: sizeOf(t.shape),
    })),
  );
  print(`${grouped(parameters)} parameters in ${tensors.size} tensors, ${formatBytes(bytes)} on disk`);
}

async function showModel(source: Source, flags: Flags): Promise<void> {
  const config = await readConfig(source, "config.json");
  const described = await describeModel(config, `config.json of ${source.name}`);
  const { definition, traits, architecture, weights, body, headName } = described;
  const { modules } = weights;
  const lines = Array.from(modules.values(), lineOf);
  const tied = headName !== "" && modules.get(headName)?.weight.name !== `${headName}.weight`;
  const parameters = countWeights(weights);
  const stored = await storedTensors(source);
  const adapter = flags.adapterConfig === null ? null : await countAdapter(flags.adapterConfig, described);
  if (flags.json) {
    print(
      JSON.stringify({
        kind: "model",
        modelType: definition.modelType,
        architecture,
        task: traits.name,
        contextLength: Number.isFinite(body.contextLength) ? body.contextLength : null,
        vocabSize: body.vocabSize,
        parameters,
        ...stored,
        modules: Array.from(modules.values(), (m) => ({
          name: m.name,
          kind: kindOf(m),
          shape: m.weight.shape,
          bias: m.bias !== null,
        })),
        defaultTargetModules: definition.targets.linear,
        ...(adapter && { adapter }),
      }),
    );
    return;
  }
  print(`model: ${definition.modelType} (${architecture}), ${contextOf(body)}, vocabulary ${grouped(body.vocabSize)}`);
  table(lines);
  print(`${grouped(parameters)} parameters${tied ? `; ${headName} is tied to the embedding` : ""}`);
  if (stored) print(`stored: ${formatBytes(stored.bytes)} in ${stored.dtypes.join(", ")}`);
  const byDefault = definition.targets.linear;
  print(`adapted by default: ${byDefault.length > 0 ? byDefault.join(", ") : "nothing; set --target-modules"}`);
  if (!adapter) return;
  table(
    adapter.tensors.map(({ name, shape }) => ({
      name,
      kind: adapter.peftType,
      shape: formatShape(shape),
      parameters: sizeOf(shape),
    })),
  );
  print(trainableLine(adapter.trainable, adapter.all, flags.grouped ? "grouped" : "plain"));
}

/** Bytes and dtypes of the weights on disk, null if there are none (a config without weights can also be inspected). */
async function storedTensors(source: Source): Promise<{ bytes: number; dtypes: string[] } | null> {
  if (!(await source.has("model.safetensors")) && !(await source.has("model.safetensors.index.json"))) return null;
  const { tensors } = await openCheckpoint(source);
  const all = Array.from(tensors.values());
  return { bytes: all.reduce((sum, t) => sum + t.byteLength, 0), dtypes: [...new Set(all.map((t) => t.dtype))].sort() };
}

async function countAdapter(path: string, model: DescribedModel) {
  expectFile(path, "--adapter-config", CONFIG_FILE);
  const [folder, file] = splitPath(path);
  return describeAdapter(model, await readConfig(openSource(folder), file), notice);
}

function contextOf({ contextLength }: { contextLength: number }): string {
  return Number.isFinite(contextLength) ? `context ${grouped(contextLength)}` : "no context limit";
}

function kindOf(module: Module): string {
  return module.kind === "linear" && module.stored === "in-out" ? "conv1d" : module.kind;
}

function lineOf(module: Module): Line {
  const bias = module.bias === null ? 0 : sizeOf(module.bias.shape);
  const shape = `${formatShape(module.weight.shape)}${bias > 0 ? " + bias" : ""}`;
  return { name: module.name, kind: kindOf(module), shape, parameters: sizeOf(module.weight.shape) + bias };
}

function table(lines: readonly Line[]): void {
  const width = Math.max(...lines.map((line) => line.name.length));
  for (const { name, kind, shape, parameters } of lines) {
    print(`  ${name.padEnd(width)}  ${kind.padEnd(9)}  ${shape.padEnd(22)} ${grouped(parameters).padStart(13)}`);
  }
}
