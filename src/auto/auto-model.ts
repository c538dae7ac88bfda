/** Chooses an architecture by the published `model_type`: the file name in src/models/ is the registration. */
import { openCheckpoint, readJson } from "../checkpoint/checkpoint.ts";
import { nameOf, openSource, type SourceLike } from "../checkpoint/open.ts";
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { files } from "../models/index.generated.ts";
import { CausalLM } from "../nn/causal-lm.ts";
import { CheckpointTensors, type LoadOptions } from "../nn/checkpoint-tensors.ts";
import { ConfigReader, type RawConfig } from "../nn/config.ts";
import type { Decoder, ModelDefinition } from "../nn/define-model.ts";
import { randomTensors, shapesOnly } from "../nn/fresh-tensors.ts";
import { type Module, type Tensors, Weights } from "../nn/weights.ts";
import { createEngine, type Engine } from "../wasm/engine.ts";

/** How and where a published model is loaded. */
export interface FromPretrainedOptions extends LoadOptions {
  /** The engine to place the model in. Made for the model, and disposed of with it, when none is given. */
  engine?: Engine;
  /** Config keys to override, as published. */
  config?: RawConfig;
}

/** Where a random model is made, and from which numbers. */
export interface FromConfigOptions {
  engine?: Engine;
  /** Decides every random weight. */
  seed?: number;
  /** Repeats a block of random numbers instead of drawing each: for timing, where the values do not matter. */
  fast?: boolean;
}

/** The `model_type`s that this version knows. */
export function knownModelTypes(): string[] {
  return Object.keys(files);
}

/** The definition for a config. Throws when the type is missing or unknown. */
export async function definitionFor(config: RawConfig, name: string): Promise<ModelDefinition> {
  const known = knownModelTypes().join(", ");
  const type = config.model_type;
  if (typeof type !== "string") throw new FormatError(`${name}: "model_type" is missing, expected one of ${known}`);
  if (!Object.hasOwn(files, type)) {
    throw new UnsupportedError(`${name}: "model_type" is "${type}", this version knows ${known}`);
  }
  const file: Record<string, unknown> = await files[type as keyof typeof files]();
  const found = Object.values(file).find((v) => (v as ModelDefinition)?.modelType === type);
  return found as ModelDefinition;
}

/** The layers of a model by name, with shapes and no memory: for counting and for `inspect`. */
export async function describeModel(
  config: RawConfig,
  name = "config.json",
): Promise<{
  definition: ModelDefinition;
  modules: ReadonlyMap<string, Module>;
  decoder: Decoder;
}> {
  const definition = await definitionFor(config, name);
  const weights = new Weights(shapesOnly());
  // Nothing is computed with a model of shapes, so building it touches no engine.
  const decoder = definition.build(
    definition.config(new ConfigReader(config, name)),
    weights,
    null as unknown as Engine,
  );
  return { definition, modules: weights.modules, decoder };
}

/** Makes language models: from a published folder, or random from a config. The architecture is chosen by `model_type`. */
export const AutoModelForCausalLM = {
  /**
   * Loads a model folder as published on the Hugging Face hub: config.json with model.safetensors or its shards. Weights stay
   * in the dtype they are stored in (float32, float16 or bfloat16); computing is in float32.
   *
   * @example
   * const model = await AutoModelForCausalLM.fromPretrained("models/stories260K");
   */
  async fromPretrained(from: SourceLike, options: FromPretrainedOptions = {}): Promise<CausalLM> {
    const source = openSource(from);
    try {
      const raw = { ...((await readJson(source, "config.json")) as RawConfig), ...options.config };
      const name = `config.json of ${source.name}`;
      const definition = await definitionFor(raw, name);
      const config = definition.config(new ConfigReader(raw, name));
      const checkpoint = await openCheckpoint(source);
      const engine = options.engine ?? (await createEngine());
      const tensors = new CheckpointTensors(engine, checkpoint, definition.prefix);
      try {
        const model = build(definition, config, raw, engine, tensors, nameOf(from), options.engine === undefined);
        await tensors.load(options);
        return model;
      } catch (error) {
        tensors.dispose();
        throw error;
      }
    } finally {
      await source.close();
    }
  },

  /** A model with random weights that can be trained in full. */
  async fromConfig(raw: RawConfig, { engine, seed = 0, fast = false }: FromConfigOptions = {}): Promise<CausalLM> {
    const definition = await definitionFor(raw, "config");
    const reader = new ConfigReader(raw, "config");
    const place = engine ?? (await createEngine());
    const tensors = randomTensors(place, { seed, std: reader.float("initializer_range", 0.02), fast });
    return build(definition, definition.config(reader), raw, place, tensors, "", engine === undefined);
  },
};

function build(
  definition: ModelDefinition,
  config: unknown,
  raw: RawConfig,
  engine: Engine,
  tensors: Tensors,
  nameOrPath: string,
  ownsEngine: boolean,
): CausalLM {
  const weights = new Weights(tensors);
  const decoder = definition.build(config, weights, engine);
  return new CausalLM({ engine, definition, config: raw, decoder, modules: weights.modules, nameOrPath, ownsEngine });
}
