/** lorikeet inspect: what is in a model or adapter folder. */
import { Command } from "commander";
import { countWeights, describeAdapter } from "../../adapt/describe.ts";
import { CONFIG_FILE, WEIGHTS_FILE } from "../../adapt/files/config-file.ts";
import { openAdapterWeights } from "../../adapt/files/load.ts";
import { trainableLine } from "../../adapt/trainable-line.ts";
import { type DescribedModel, describeModel } from "../../auto/auto-model.ts";
import { openCheckpoint, readJson } from "../../checkpoint/checkpoint.ts";
import { openSource } from "../../checkpoint/open.ts";
import { FormatError, StateError } from "../../core/errors.ts";
import type { Source } from "../../core/host.ts";
import { formatShape, sizeOf } from "../../core/shape.ts";
import type { RawConfig } from "../../nn/config.ts";
import type { Module } from "../../nn/layers/weights.ts";
import { optimizerNames } from "../../optim/optimizers.ts";
import { formatBytes } from "../../wasm/memory.ts";
import type { TrainingMethod } from "../adapted.ts";
import { splitPath } from "../data.ts";
import { addMethodOptions, methodOption, optionNames } from "../method-options.ts";
import { taskOption, weightsOption, withEngineOptions } from "../model-options.ts";
import { alternatives, givenOptions, optimizer, optimizerArgs, whole } from "../options.ts";
import { grouped, notice, print } from "../terminal.ts";
import { type PlanFlags, showPlan } from "./inspect-plan.ts";

interface Flags extends PlanFlags {
  plan?: boolean;
  grouped?: boolean;
}

interface Line {
  name: string;
  kind: string;
  shape: string;
  parameters: number;
}

/** Options that say what is planned. */
const PLANNED = [
  ...["method", "task", "weights", "batchSize", "maxLength", "maxTargetLength", "gradientCheckpointing"],
  ...["optim", "optimArgs"],
  ...["threads", "build"],
];

/** The command, with the options of one method for --plan. */
export function inspectCommand({ name, method }: TrainingMethod): Command {
  const command = withEngineOptions(withOwnOptions(new Command("inspect")));
  if (method) addMethodOptions(command, method, name);
  if (method) alternatives(command, ["adapterConfig"], optionNames(method));
  return command
    .addHelpText("after", EXAMPLES)
    .action((dir: string, flags: Flags) => run(dir, flags, command, { name, method }));
}

function withOwnOptions(command: Command): Command {
  return command
    .description(
      "Show what is in a model or adapter folder, or what training would take of memory. No weights are loaded.",
    )
    .argument("<dir>", "model or adapter folder; for --plan a name on the hub, too")
    .option("--adapter-config <file>", "count what an adapter of this adapter_config.json would train on the model")
    .option("--grouped", "print counts as newer versions of PEFT do: 2,359,296 and four digits")
    .option("--json", "print one JSON object")
    .option("--plan", "tell what training takes of memory, from config.json and the options below")
    .addOption(methodOption())
    .addOption(weightsOption())
    .addOption(taskOption())
    .option("--batch-size <n>", "rows per batch", whole(1), 8)
    .option("--max-length <n>", "tokens of each row (default: 512, or the model's context)", whole(2))
    .option("--max-target-length <n>", "tokens of each target of an encoder-decoder (default: as many)", whole(2))
    .option("--gradient-checkpointing", "compute activations twice instead of keeping them")
    .option("--optim <name>", `optimiser: ${optimizerNames.join(", ")}`, optimizer, "adamw")
    .option("--optim-args <list>", "its own options, such as momentum=0.9", optimizerArgs);
}

const EXAMPLES = `
Examples:
  $ lorikeet inspect examples/pocket
  $ lorikeet inspect runs/sonnets/adapter --json
  $ lorikeet inspect base --adapter-config adapter_config.json
  $ lorikeet inspect base --plan --batch-size 4 --max-length 1024
  $ lorikeet inspect bigscience/mt0-large --plan --weights int8 --method ia3
  $ lorikeet inspect base --plan --method lora --r 16 --use-dora --gradient-checkpointing --json`;

async function run(dir: string, flags: Flags, command: Command, chosen: TrainingMethod): Promise<void> {
  if (flags.plan) return showPlan(dir, flags, command, chosen);
  const own = chosen.method === null ? [] : optionNames(chosen.method);
  const idle = givenOptions(command, [...PLANNED, ...own]).map(({ long }) => long);
  if (idle.length > 0) throw new StateError(`${idle.join(", ")}: for plans only; add --plan`);
  const source = openSource(dir);
  try {
    if (await source.has(CONFIG_FILE)) await showAdapter(source, flags);
    else if (await source.has("config.json")) await showModel(source, flags);
    else {
      await source.list(); // says when the folder is not there at all
      throw new FormatError(`${source.name} has neither "config.json" (a model) nor "${CONFIG_FILE}" (an adapter)`);
    }
  } finally {
    await source.close();
  }
}

async function readConfig(source: Source, file: string): Promise<RawConfig> {
  const config = await readJson(source, file);
  if (typeof config === "object" && config !== null && !Array.isArray(config)) return config as RawConfig;
  throw new FormatError(`"${file}" in ${source.name} should hold a JSON object`);
}

async function showAdapter(source: Source, flags: Flags): Promise<void> {
  if (flags.adapterConfig !== undefined) {
    throw new StateError(`--adapter-config counts on a model, but ${source.name} is an adapter: give a model folder`);
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
  const adapter = flags.adapterConfig === undefined ? null : await countAdapter(flags.adapterConfig, described);
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
  print(`adapted by default: ${byDefault.length > 0 ? byDefault.join(", ") : "nothing; name target modules"}`);
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

/** Bytes and dtypes of the weights on disk, null where there are none (a config alone can be inspected too). */
async function storedTensors(source: Source): Promise<{ bytes: number; dtypes: string[] } | null> {
  if (!(await source.has("model.safetensors")) && !(await source.has("model.safetensors.index.json"))) return null;
  const { tensors } = await openCheckpoint(source);
  const all = Array.from(tensors.values());
  return { bytes: all.reduce((sum, t) => sum + t.byteLength, 0), dtypes: [...new Set(all.map((t) => t.dtype))].sort() };
}

async function countAdapter(path: string, model: DescribedModel) {
  const [folder, file] = splitPath(path);
  return describeAdapter(model, await readConfig(openSource(folder), file), notice);
}

function contextOf({ contextLength }: { contextLength: number }): string {
  return Number.isFinite(contextLength) ? `context ${grouped(contextLength)}` : "no limit of context";
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
