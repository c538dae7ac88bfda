/**
 * Chooses an architecture by the published `model_type` and a class by task: the file names in src/models/ and
 * src/tasks/ register them.
 */
import { type Checkpoint, openCheckpoint, readJson } from "../checkpoint/checkpoint.ts";
import { nameOf, openSource, type SourceLike } from "../checkpoint/open.ts";
import { anObject, callback, callOptions, expectArgument } from "../core/call-options.ts";
import { FormatError, UnsupportedError } from "../core/errors.ts";
import type { Source } from "../core/host.ts";
import { flag, type Options, oneOf, option, orNull, whole } from "../core/options.ts";
import { isObject } from "../core/python-json.ts";
import { type Task, tasks } from "../core/task.ts";
import { copies, files } from "../models/index.generated.ts";
import { ConfigReader, type RawConfig } from "../nn/config.ts";
import type { Body, HeadDefinition, ModelDefinition } from "../nn/define-model.ts";
import { type Near, type Tensors, Weights } from "../nn/layers/weights.ts";
import type { Model, ModelParts } from "../nn/tasks/model.ts";
import type { ModelOfShapes } from "../nn/tasks/model-of-shapes.ts";
import { CheckpointTensors, type LoadOptions } from "../nn/tensors/checkpoint-tensors.ts";
import { type RandomOptions, randomTensors, shapesOnly } from "../nn/tensors/fresh-tensors.ts";
import { type KeptWeights, weightsOption } from "../nn/tensors/kept-dtype.ts";
import { saveModel } from "../nn/tensors/save-model.ts";
import { taskDefinitions } from "../tasks/index.generated.ts";
import type { TaskDefinition } from "../tasks/kit/define-task.ts";
import { createEngine, type Engine } from "../wasm/engine.ts";
import { MAX_BYTES } from "../wasm/memory.ts";

/** Creates an engine with so many memories. */
export type OpenEngine = (memories: number) => Promise<Engine>;

/** Options for loading a published model. */
export interface FromPretrainedOptions extends LoadOptions {
  /**
   * The engine for the model, or a function that creates one with as many memories as the model needs. If it is none, one is created
   * for the model and disposed of with it, as one that the function creates is.
   */
  engine?: Engine | OpenEngine;
  /** Config keys to override, as published: `{ num_labels: 3 }`, for instance. */
  config?: RawConfig;
  /** Receives warnings, such as about a head that starts at random. `console.warn` by default. */
  onWarning?: (message: string) => void;
}

/** Options for creating a random model. */
export interface FromConfigOptions extends Pick<RandomOptions, "stored"> {
  engine?: Engine;
  /** Determines every random weight. */
  seed?: number;
  /** Repeats a block of random numbers instead of drawing each one: for timing, when the values do not matter. */
  fast?: boolean;
  /** Frozen weights of this dtype instead of trainable ones. For adapters without a real base. */
  weights?: KeptWeights;
}

/** The model of each task. */
export type ModelFor = {
  [T in Task]: InstanceType<Awaited<ReturnType<(typeof taskDefinitions)[T]["model"]>>>;
};

/** The `model_type`s that this version knows. */
export function knownModelTypes(): string[] {
  return Object.keys(files);
}

/** The definition for a config. Throws when the type is missing or unknown. */
export async function definitionFor(config: RawConfig, name: string): Promise<ModelDefinition> {
  const known = [...knownModelTypes(), ...Object.keys(copies)].join(", ");
  const type = config.model_type;
  if (typeof type !== "string") throw new FormatError(`${name}: "model_type" is missing, expected one of ${known}`);
  const home = originalOf(type) ?? type;
  if (!Object.hasOwn(files, home)) {
    throw new UnsupportedError(`${name}: "model_type" is "${type}", this version knows ${known}`);
  }
  const file: Record<string, unknown> = await files[home as keyof typeof files]();
  const found = Object.values(file).find((v) => (v as ModelDefinition)?.modelType === type);
  return found as ModelDefinition;
}

/** The model type whose layers and names another has, or null. */
function originalOf(type: string): keyof typeof files | null {
  return Object.hasOwn(copies, type) ? copies[type as keyof typeof copies] : null;
}

/** The tasks that a model type has a head for, in the order of its heads, each with the head. */
export function headsByTask({ heads }: ModelDefinition): Map<Task, HeadDefinition<unknown>> {
  const found = Object.entries(heads).flatMap(([head, definition]) =>
    tasks.filter((task) => taskDefinitions[task].head === head).map((task) => [task, definition!] as const),
  );
  return new Map(found);
}

/** The task of the architecture that a config names; otherwise, the first task of its type. */
export function taskOf(definition: ModelDefinition, config: RawConfig): Task {
  const named = Array.isArray(config.architectures) ? config.architectures : [];
  const all = [...headsByTask(definition)].filter(([task]) => !(taskDefinitions[task] as TaskDefinition).namedOnly);
  return (all.find(([, { architecture }]) => named.includes(architecture)) ?? all[0]!)[0];
}

/** The architecture of a model type for a task. Throws UnsupportedError that names the class to use instead. */
function headFor(definition: ModelDefinition, task: Task, name: string): HeadDefinition<unknown> {
  const all = headsByTask(definition);
  const found = all.get(task);
  if (found) return found;
  const known = [...all.keys()].map((each) => taskDefinitions[each].auto);
  throw new UnsupportedError(
    `${name}: "model_type" is "${definition.modelType}", which ${taskDefinitions[task].auto} does not load; use ${known.join(", ")}`,
  );
}

/** An unloaded model and its parts. */
export interface DescribedModel extends ModelOfShapes {
  readonly architecture: string;
  readonly body: Body;
}

/** Lists the layers of a model from its config, without weights: for counting and for `inspect`. */
export async function describeModel(
  config: RawConfig,
  name = "config.json",
  wanted: Task | null = null,
): Promise<DescribedModel> {
  const definition = await definitionFor(config, name);
  const task = wanted ?? taskOf(definition, config);
  const { architecture, build } = headFor(definition, task, name);
  const weights = new Weights(shapesOnly());
  const engine = await createEngine({ measuring: true });
  const body = build(definition.config(new ConfigReader(config, name)), weights, engine);
  const headName = "head" in body ? (body.head as { name: string }).name : "";
  return { definition, traits: taskDefinitions[task], architecture, config, weights, body, headName, engine };
}

/** The parsed config.json of a model folder, of a type that is known. */
export async function loadConfig(from: SourceLike): Promise<RawConfig> {
  const source = openSource(from);
  try {
    const config = (await readJson(source, "config.json")) as RawConfig;
    await definitionFor(config, `config.json of ${source.name}`);
    return config;
  } finally {
    await source.close();
  }
}

/** Options of `fromPretrained`. */
const loading = {
  engine: orNull(option<unknown>(null, "an engine", (value) => ["object", "function"].includes(typeof value))),
  config: anObject("keys of a config"),
  onWarning: callback(),
  onProgress: callback(),
  signal: anObject("an AbortSignal"),
  weights: weightsOption,
  trainable: flag(false),
  seed: whole(0, 0),
  ignoreMismatchedSizes: flag(false),
  allowNonFinite: flag(false),
} satisfies Options;

/** Options of `fromConfig`. */
const creating = {
  engine: anObject("an engine"),
  seed: loading.seed,
  fast: flag(false),
  weights: weightsOption,
  stored: oneOf(["f32", "f16", "bf16"], "f32"),
} satisfies Options;

/** Loads a model folder for the task that its config names, or for `task`. */
export async function loadPretrained<T extends Task>(
  from: SourceLike,
  task: T | null,
  options: FromPretrainedOptions = {},
): Promise<ModelFor[T]> {
  callOptions("fromPretrained", loading, options);
  const source = openSource(from);
  try {
    const raw = { ...((await readJson(source, "config.json")) as RawConfig), ...options.config };
    const name = `config.json of ${source.name}`;
    const definition = await definitionFor(raw, name);
    const chosen = task ?? taskOf(definition, raw);
    const { architecture, build } = headFor(definition, chosen, name);
    const reader = new ConfigReader(raw, name);
    const config = definition.config(reader);
    const checkpoint = await readable(await openCheckpoint(source), raw, name);
    const { trainable = false, seed = 0, ignoreMismatchedSizes = false, weights: kept = "stored" } = options;
    if (trainable && kept !== "stored") {
      throw new UnsupportedError(
        `${source.name}: weights: "${kept}" was requested together with trainable: true, but trained weights are float32; omit one of the two`,
      );
    }
    const std = initialStd(reader);
    const placing = { prefix: definition.prefix, std, trainable, seed, ignoreMismatchedSizes, weights: kept };
    const stored = Array.from(checkpoint.tensors.values()).reduce((sum, { byteLength }) => sum + byteLength, 0);
    return await inEngine(
      options.engine,
      2 * stored > MAX_BYTES,
      (engine, near) => new CheckpointTensors(engine, checkpoint, { ...placing, near }),
      (weights, engine) => build(config, weights, engine),
      async ({ engine, near }, tensors, weights, body) => {
        await tensors.load(options);
        const warn = options.onWarning ?? console.warn;
        if (tensors.fresh.length > 0) warn(freshHead(tensors.fresh, source.name));
        const original = originalOf(definition.modelType);
        if (original) warn(`${name}: "model_type" is "${definition.modelType}", which is computed as "${original}"`);
        const ownsEngine = engine !== options.engine;
        const parts = {
          engine,
          near,
          task: taskDefinitions[chosen],
          definition,
          architecture,
          config: raw,
          body,
          weights,
          nameOrPath: nameOf(from),
          generationConfig: await generationConfigOf(source, taskDefinitions[chosen]),
          ownsEngine,
        };
        return (await modelOf(chosen, parts)) as ModelFor[T];
      },
    );
  } finally {
    await source.close();
  }
}

/** The standard deviation of fresh weights: beyond 1e3 products overflow. */
function initialStd(config: ConfigReader): number {
  const key = "initializer_range";
  const std = config.float(key, 0.02);
  if (std >= 0 && std <= 1000) return std;
  throw config.wrong(key, std, "a number from 0 to 1000");
}

/**
 * Makes a model of tensors in the given engine, or in a new one, which may have several memories if the model is large. If that fails, the tensors are freed and the
 * new engine ends with its threads. Throws StateError if the engine is disposed of, before or meanwhile.
 */
async function inEngine<S extends Tensors & { dispose(): void }, M extends Model>(
  given: Engine | OpenEngine | undefined,
  isLarge: boolean,
  place: (engine: Engine, near?: Near) => S,
  build: (weights: Weights, engine: Engine) => Body,
  make: (where: Pick<ModelParts, "engine" | "near">, tensors: S, weights: Weights, body: Body) => Promise<M>,
): Promise<M> {
  const spreading = () => import("../nn/tensors/spread.ts"); // few are so large
  const open: OpenEngine = typeof given === "function" ? given : (memories) => createEngine({ memories });
  const isOpen = typeof given === "object";
  if (isOpen) given.expectLive("loading a model");
  const engine = isOpen ? given : await open(isLarge ? await (await spreading()).memoriesFor(place, build) : 1);
  const several = engine.memory.each.length > 1;
  const near = several ? await (await spreading()).spread(engine, place, build) : undefined;
  const tensors = place(engine, near);
  try {
    const weights = new Weights(tensors);
    const model = await make({ engine, near }, tensors, weights, build(weights, engine));
    engine.expectLive("loading a model");
    return model;
  } catch (error) {
    tensors.dispose();
    if (!isOpen) engine.dispose();
    throw error;
  }
}

/** What a folder says about generation, for tasks whose labels are text. */
async function generationConfigOf(
  source: Source,
  { labelsAreTokens = false }: TaskDefinition,
): Promise<RawConfig | null> {
  const file = "generation_config.json";
  return labelsAreTokens && (await source.has(file)) ? ((await readJson(source, file)) as RawConfig) : null;
}

/** The checkpoint, of a model that is quantized by the numbers that its tensors stand for. */
async function readable(checkpoint: Checkpoint, config: RawConfig, name: string): Promise<Checkpoint> {
  const { quantization_config: quantization = null, dtype, torch_dtype } = config;
  if (quantization === null) return checkpoint;
  const { dequantized } = await import("../checkpoint/quantized.ts"); // few are
  return dequantized(checkpoint, quantization as RawConfig, { name, dtype: dtype ?? torch_dtype });
}

function freshHead(names: readonly string[], source: string): string {
  const list = names.map((name) => `"${name}"`).join(", ");
  return `${list} not in ${source}: this head starts at random and must be trained`;
}

/** A model with random weights that are all trainable. */
export async function modelFromConfig<T extends Task>(
  raw: RawConfig,
  task: T | null,
  options: FromConfigOptions = {},
): Promise<ModelFor[T]> {
  const { engine: given, seed = 0, fast = false, weights: kept, stored = "f32" } = options;
  callOptions("fromConfig", creating, options);
  expectArgument("fromConfig", "the config", raw, isObject(raw), "the keys of a config.json, such as AutoConfig reads");
  const definition = await definitionFor(raw, "config");
  const chosen = task ?? taskOf(definition, raw);
  const { architecture, build } = headFor(definition, chosen, "config");
  const reader = new ConfigReader(raw, "config");
  const config = definition.config(reader);
  const std = initialStd(reader);
  const start = { seed, std, fast, weights: kept ?? null, stored };
  return inEngine(
    given,
    false,
    (engine, near) => randomTensors(engine, { ...start, near }),
    (weights, engine) => build(config, weights, engine),
    async ({ engine, near }, tensors, weights, body) => {
      tensors.begin();
      const parts = {
        ...{ engine, near, task: taskDefinitions[chosen], definition, architecture, config: raw, body, weights },
        ...{ nameOrPath: "", ownsEngine: !given },
      };
      return (await modelOf(chosen, parts)) as ModelFor[T];
    },
  );
}

async function modelOf(task: Task, parts: Omit<ModelParts, "save">): Promise<Model> {
  const Class = await (taskDefinitions[task] as TaskDefinition).model();
  return new Class({ ...parts, save: saveModel } as ModelParts<never>);
}
