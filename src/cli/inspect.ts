/** lorikeet inspect: what is in a model or adapter folder. */
import { Command } from "commander";
import { describeAdapter } from "../adapt/describe.ts";
import { describeModel } from "../auto/auto-model.ts";
import { openCheckpoint, readJson } from "../checkpoint/checkpoint.ts";
import { openSource } from "../checkpoint/open.ts";
import { openSafetensors } from "../checkpoint/safetensors.ts";
import { FormatError } from "../core/errors.ts";
import { formatShape, sizeOf } from "../core/shape.ts";
import type { RawConfig } from "../nn/config.ts";
import type { Module } from "../nn/weights.ts";
import { formatBytes } from "../wasm/memory.ts";
import { splitPath } from "./data.ts";
import { grouped, notice, print } from "./terminal.ts";

interface Flags {
  adapterConfig?: string;
  json?: boolean;
}

interface Line {
  name: string;
  kind: string;
  shape: string;
  parameters: number;
}

export const command: Command = new Command("inspect")
  .description("Show what is in a model or adapter folder. No weights are loaded.")
  .argument("<dir>", "model or adapter folder")
  .option("--adapter-config <file>", "count what an adapter of this adapter_config.json would train on the model")
  .option("--json", "print one JSON object")
  .addHelpText(
    "after",
    `
Examples:
  $ lorikeet inspect examples/pocket
  $ lorikeet inspect runs/sonnets/adapter --json
  $ lorikeet inspect base --adapter-config adapter_config.json`,
  )
  .action(run);

async function run(dir: string, flags: Flags): Promise<void> {
  const source = openSource(dir);
  try {
    if (await source.has("adapter_config.json")) await showAdapter(dir, flags);
    else if (await source.has("config.json")) await showModel(dir, flags);
    else throw new FormatError(`${source.name} has neither config.json (a model) nor adapter_config.json (an adapter)`);
  } finally {
    await source.close();
  }
}

async function showAdapter(dir: string, flags: Flags): Promise<void> {
  const source = openSource(dir);
  const config = (await readJson(source, "adapter_config.json")) as RawConfig;
  const { tensors } = await openSafetensors(source, "adapter_model.safetensors");
  const bytes = await source.size("adapter_model.safetensors");
  const parameters = Array.from(tensors.values()).reduce((sum, t) => sum + sizeOf(t.shape), 0);
  if (flags.json) {
    const list = Array.from(tensors, ([name, t]) => ({ name, dtype: t.dtype, shape: t.shape }));
    print(JSON.stringify({ kind: "adapter", config, tensors: list, parameters, bytes }));
    return;
  }
  print(
    `adapter: ${config["peft_type"]} for ${config["base_model_name_or_path"] || "an unnamed base"}, task ${config["task_type"] ?? "not stated"}`,
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

async function showModel(dir: string, flags: Flags): Promise<void> {
  const source = openSource(dir);
  const config = (await readJson(source, "config.json")) as RawConfig;
  const { definition, modules, decoder } = await describeModel(config, `config.json of ${source.name}`);
  const lines = Array.from(modules.values(), lineOf);
  const tied =
    config["tie_word_embeddings"] !== false &&
    modules.get(decoder.head.name)?.weight.name !== `${decoder.head.name}.weight`;
  const parameters = lines.reduce(
    (sum, line) => sum + (tied && line.name === decoder.head.name ? 0 : line.parameters),
    0,
  );
  const stored = await storedTensors(dir);
  const adapter = flags.adapterConfig === undefined ? null : await countAdapter(flags.adapterConfig, config, dir);
  if (flags.json) {
    print(
      JSON.stringify({
        kind: "model",
        modelType: definition.modelType,
        architecture: definition.architecture,
        contextLength: decoder.contextLength,
        vocabSize: decoder.vocabSize,
        parameters,
        ...stored,
        modules: Array.from(modules.values(), (m) => ({
          name: m.name,
          kind: kindOf(m),
          shape: m.weight.shape,
          bias: m.kind !== "embedding" && m.bias !== null,
        })),
        defaultTargetModules: definition.adaptByDefault,
        ...(adapter && { adapter }),
      }),
    );
    return;
  }
  print(
    `model: ${definition.modelType} (${definition.architecture}), context ${grouped(decoder.contextLength)}, vocabulary ${grouped(decoder.vocabSize)}`,
  );
  table(lines);
  print(`${grouped(parameters)} parameters${tied ? `; ${decoder.head.name} is tied to the embedding` : ""}`);
  if (stored) print(`stored: ${formatBytes(stored.bytes)} in ${stored.dtypes.join(", ")}`);
  print(`adapted by default: ${definition.adaptByDefault.join(", ")}`);
  if (!adapter) return;
  table(
    adapter.tensors.map(({ name, shape }) => ({
      name,
      kind: adapter.peftType,
      shape: formatShape(shape),
      parameters: sizeOf(shape),
    })),
  );
  const all = parameters + adapter.trainable;
  print(
    `trainable params: ${grouped(adapter.trainable)} || all params: ${grouped(all)} || trainable%: ${((100 * adapter.trainable) / all).toFixed(4)}`,
  );
}

/** Bytes and dtypes of the weights on disk, null where there are none (a config alone can be inspected too). */
async function storedTensors(dir: string): Promise<{ bytes: number; dtypes: string[] } | null> {
  const source = openSource(dir);
  if (!(await source.has("model.safetensors")) && !(await source.has("model.safetensors.index.json"))) return null;
  const { tensors } = await openCheckpoint(source);
  const all = Array.from(tensors.values());
  return { bytes: all.reduce((sum, t) => sum + t.byteLength, 0), dtypes: [...new Set(all.map((t) => t.dtype))].sort() };
}

async function countAdapter(path: string, config: RawConfig, dir: string) {
  const [folder, file] = splitPath(path);
  const adapterConfig = (await readJson(openSource(folder), file)) as RawConfig;
  return describeAdapter(await describeModel(config, `config.json of ${dir}`), adapterConfig, notice);
}

function kindOf(module: Module): string {
  return module.kind === "linear" && module.stored === "in-out" ? "conv1d" : module.kind;
}

function lineOf(module: Module): Line {
  const bias = module.kind === "embedding" || module.bias === null ? 0 : sizeOf(module.bias.shape);
  const shape = `${formatShape(module.weight.shape)}${bias > 0 ? " + bias" : ""}`;
  return { name: module.name, kind: kindOf(module), shape, parameters: sizeOf(module.weight.shape) + bias };
}

function table(lines: readonly Line[]): void {
  const width = Math.max(...lines.map((line) => line.name.length));
  for (const { name, kind, shape, parameters } of lines) {
    print(`  ${name.padEnd(width)}  ${kind.padEnd(9)}  ${shape.padEnd(22)} ${grouped(parameters).padStart(13)}`);
  }
}
