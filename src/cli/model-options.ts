/** Shared by commands that run a model: their options, and loading the model and adapter. */
import { PeftModel } from "../adapt/peft-model.ts";
import { adapterFacts, headFrom } from "../auto/adapter-facts.ts";
import { type FromPretrainedOptions, loadPretrained, type OpenEngine } from "../auto/auto-model.ts";
import { type Options, oneOf, orNull, text, type ValuesOf } from "../core/options.ts";
import { type Task, tasks } from "../core/task.ts";
import type { Model } from "../nn/tasks/model.ts";
import { weightsOption } from "../nn/tensors/kept-dtype.ts";
import { createEngine, type Engine, preferred } from "../wasm/engine.ts";
import type { engineOptions } from "../wasm/engine-options.ts";
import { formatBytes } from "../wasm/memory.ts";
import { requiredText } from "./flags/options.ts";
import { expectAdapter, expectModel } from "./paths/mistaken-paths.ts";
import { adapterFolder } from "./paths/paths.ts";
import { LiveLine, notice } from "./terminal.ts";

/** The engine that a command requests. */
export type EngineFlags = Partial<ValuesOf<typeof engineOptions>>;

/** --model, --adapter and the like, for commands that load a model. */
export const modelOptions = {
  model: requiredText({
    help: "model folder (config.json, model.safetensors, tokenizer.json), or a name on the hub",
    placeholder: "dir",
    alsoSpelled: ["model-name-or-path", "model-name", "model-path", "base-model", "base"],
  }),
  adapter: text({
    help: "folder of an adapter to load into the model, or of the run that made it",
    placeholder: "dir",
    alsoSpelled: ["adapter-path", "adapter-name-or-path", "peft-model", "lora-path"],
    common: true,
  }),
  weights: weightsOption,
  task: orNull(
    oneOf(tasks, tasks[0], { help: "task of the model (default: from its config, its adapter or the data)" }),
  ),
} satisfies Options;

/** The command line owns its process, so it may set V8's flag: it asks for "fastest" by default. */
export async function openEngine({ threads, build, memories }: EngineFlags): Promise<Engine> {
  const sizes = { ...(typeof threads === "number" && { threads }), memories: memories ?? 1 };
  return createEngine({ build: build ?? preferred("fastest"), ...sizes, onWarning: notice });
}

/** The same with as many memories as a model needs, unless the flags say how many. */
export function engineFor(flags: EngineFlags): OpenEngine {
  return (memories) => openEngine({ ...flags, memories: flags.memories ?? memories });
}

/** The model that a command requests. */
export type LoadFlags = EngineFlags & ValuesOf<typeof modelOptions>;

export interface Loaded {
  readonly engine: Engine;
  readonly base: Model;
  /** The base with its adapter, or the base alone. */
  readonly model: Model | PeftModel;
}

/** Loads the model (a folder, or a name on the hub) and, if given, its adapter. */
export async function loadModel(flags: LoadFlags): Promise<Loaded> {
  expectModel(flags.model);
  if (flags.adapter !== null) expectAdapter(flags.adapter);
  const adapter = flags.adapter && adapterFolder(flags.adapter);
  const told = adapter === null ? { task: null, config: {} } : await adapterFacts(adapter);
  const options = { ...(adapter === null && { onWarning: askForAdapter }), ...headFrom(told), weights: flags.weights };
  const base = await loadBase(flags.model, engineFor(flags), flags.task ?? told.task, options);
  const model = adapter === null ? base : await PeftModel.fromPretrained(base, adapter, { onWarning: notice });
  return { engine: base.engine, base, model };
}

/** A base without a trained head is rarely what is wanted where nothing trains it. */
function askForAdapter(warning: string): void {
  notice(/starts at random/.test(warning) ? `${warning}. Did you forget --adapter?` : warning);
}

/** Loads only the base, with progress on standard error if loading takes long. */
export async function loadBase(
  from: string,
  engine: Engine | OpenEngine,
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

/** The size in bytes from which loading progress is shown; smaller models load quickly. */
const SHOWN = 200 << 20;
