/** What every command that runs a model shares: its options, and loading model and adapter. */
import { type Command, Option } from "commander";
import { CONFIG_FILE } from "../adapt/files/config-file.ts";
import { headSize } from "../adapt/files/load.ts";
import { PeftModel } from "../adapt/peft-model.ts";
import { type FromPretrainedOptions, loadPretrained } from "../auto/auto-model.ts";
import { readJson } from "../checkpoint/checkpoint.ts";
import { openSource } from "../checkpoint/open.ts";
import { numberedLabels } from "../core/labels.ts";
import { type Task, tasks } from "../core/task.ts";
import { taskDefinition } from "../data/known-tasks.ts";
import type { RawConfig } from "../nn/config.ts";
import { LABEL_KEYS, labelConfig } from "../nn/tasks/label-names.ts";
import type { Model } from "../nn/tasks/model.ts";
import { type KeptWeights, keptWeights } from "../nn/tensors/kept-dtype.ts";
import type { Build } from "../wasm/builds.ts";
import { createEngine, type Engine } from "../wasm/engine.ts";
import { formatBytes } from "../wasm/memory.ts";
import { whole } from "./options.ts";
import { LiveLine, notice } from "./terminal.ts";

export interface EngineFlags {
  threads?: number;
  build: "auto" | Build;
}

/** Adds --threads and --build. */
export function withEngineOptions(command: Command): Command {
  return command
    .option(
      "--threads <n>",
      "threads to compute with, by default one for each physical core; results do not depend on it",
      whole(1),
    )
    .addOption(
      new Option("--build <name>", "kernels: fused multiply-add or the same bits everywhere")
        .choices(["auto", "baseline", "relaxed"])
        .default("auto"),
    );
}

/** --weights, for commands that load a base. */
export function weightsOption(): Option {
  return new Option("--weights <dtype>", "how the base is kept in memory: int8 computes in integers, nf4 takes 4 bits")
    .choices(keptWeights)
    .default("stored");
}

/** --task, for models whose config names no head, or another one. */
export function taskOption(): Option {
  return new Option("--task <name>", "what the model is for; by default what its config, adapter or data says")
    .choices(tasks)
    .argParser((text) => text.toUpperCase().replaceAll("-", "_"));
}

export async function openEngine({ threads, build }: EngineFlags): Promise<Engine> {
  return createEngine({ build, ...(threads !== undefined && { threads }) });
}

export interface LoadFlags extends EngineFlags {
  model: string;
  adapter?: string | undefined;
  task?: Task | undefined;
  weights?: KeptWeights;
}

export interface Loaded {
  readonly engine: Engine;
  readonly base: Model;
  /** The base with its adapter, or the base alone. */
  readonly model: Model | PeftModel;
}

/** Loads the model (a folder, or a name on the hub) and, when named, the adapter on top of it. */
export async function loadModel(flags: LoadFlags): Promise<Loaded> {
  const engine = await openEngine(flags);
  const told = flags.adapter === undefined ? nothingTold : await toldByAdapter(flags.adapter);
  const base = await loadBase(flags.model, engine, flags.task ?? told.task, {
    ...headFrom(told),
    ...(flags.weights && { weights: flags.weights }),
  });
  const model =
    flags.adapter === undefined ? base : await PeftModel.fromPretrained(base, flags.adapter, { onWarning: notice });
  return { engine, base, model };
}

/** Loads the base alone, with progress on standard error where it takes long. */
export async function loadBase(
  from: string,
  engine: Engine,
  task: Task | null,
  options: Pick<
    FromPretrainedOptions,
    "weights" | "config" | "trainable" | "seed" | "ignoreMismatchedSizes" | "onWarning"
  > = {},
): Promise<Model> {
  const line = new LiveLine(process.stderr);
  const onProgress = (loaded: number, total: number) => {
    if (total > SHOWN) line.show(`loading ${formatBytes(loaded)} of ${formatBytes(total)}`);
  };
  try {
    return (await loadPretrained(from, task, { engine, onProgress, onWarning: notice, ...options })) as Model;
  } finally {
    line.end();
  }
}

/** How a base is loaded whose head an adapter brings along: the base's own may be another or none. */
export function headFrom({
  config,
}: Told): Pick<FromPretrainedOptions, "config" | "ignoreMismatchedSizes" | "onWarning"> {
  const brings = Object.keys(config).length > 0;
  return brings ? { config, ignoreMismatchedSizes: true, onWarning: () => {} } : { config };
}

/** Bytes from which loading is shown: less takes a moment. */
const SHOWN = 200 << 20;

/** What an adapter folder says of the model it belongs on. */
export interface Told {
  readonly task: Task | null;
  /** Labels of the head that was trained along. */
  readonly config: RawConfig;
}

const nothingTold: Told = { task: null, config: {} };

export async function toldByAdapter(folder: string): Promise<Told> {
  const source = openSource(folder);
  try {
    const adapter = (await source.has(CONFIG_FILE)) ? ((await readJson(source, CONFIG_FILE)) as RawConfig) : {};
    const named = tasks.find((task) => task === adapter.task_type) ?? null;
    if (!(await source.has("config.json"))) return { task: named, config: await labelsOfHead(folder) };
    const config = (await readJson(source, "config.json")) as RawConfig;
    const labels = Object.fromEntries(LABEL_KEYS.filter((key) => key in config).map((key) => [key, config[key]]));
    return { task: named, config: labels };
  } finally {
    await source.close();
  }
}

/** As many labels as the head in an adapter's file has outputs. */
async function labelsOfHead(folder: string): Promise<RawConfig> {
  const heads = tasks.map(taskDefinition).flatMap(({ classes, headModules }) => (classes ? headModules : []));
  const count = await headSize(openSource(folder), [...new Set(heads)]);
  return count === null ? {} : labelConfig(numberedLabels(count));
}
