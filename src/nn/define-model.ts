import type { Value } from "../tape/tape.ts";
import type { Engine } from "../wasm/engine.ts";
import type { ConfigReader } from "./config.ts";
import type { Linear } from "./linear.ts";
import type { Pass } from "./pass.ts";
import type { Weights } from "./weights.ts";

/** A decoder-only language model, built. */
export interface Decoder {
  readonly vocabSize: number;
  /** Longest sequence the positions allow. */
  readonly contextLength: number;
  /** What a key-value cache must hold per token. */
  readonly cache: { readonly layers: number; readonly width: number };
  /** Hidden rows after the last norm, [T, D]. */
  forward(pass: Pass): Value;
  /** The output projection: logits = head.forward(hidden). */
  readonly head: Linear;
  /** Frees what `build` placed besides weights. */
  dispose?(): void;
}

/** An architecture: one file in src/models/, named by its published `model_type`. */
export interface ModelDefinition<Config = unknown> {
  readonly modelType: string;
  /** The class name in `architectures` of a saved config. */
  readonly architecture: string;
  /** Leading part of published names that some checkpoints leave out ("model", "transformer"). */
  readonly prefix: string;
  /** `target_modules` when the user names none: PEFT's own table. */
  readonly adaptByDefault: readonly string[];
  /** Reads the published config. */
  config(reader: ConfigReader): Config;
  /** Asks for layers by published name and says how they are put together. */
  build(config: Config, weights: Weights, engine: Engine): Decoder;
}

/** Checks an architecture's type and gives it back. */
export function defineModel<Config>(definition: ModelDefinition<Config>): ModelDefinition<Config> {
  return definition;
}
