import type { Value } from "../tape/tape.ts";
import type { Engine } from "../wasm/engine.ts";
import type { ConfigReader } from "./config.ts";
import { byOwnNames, type ConfigKeys, commonOnly, refuseUnsupported } from "./config-keys.ts";
import type { Linear } from "./layers/linear.ts";
import type { Weights } from "./layers/weights.ts";
import type { CrossAttention } from "./pass/cross-attention.ts";
import type { InputKind } from "./pass/inputs.ts";
import type { Pass } from "./pass/pass.ts";

/** The parts that every built model has. */
export interface Body {
  /** Rows of the table of tokens. */
  vocabSize: number;
  /** The longest sequence that the positions allow; Infinity if there is no limit. */
  readonly contextLength: number;
  /** Longest sequence whose rows do not depend on the other sequences of a batch; all where left out. */
  readonly steadyLength?: number;
  /** RoBERTa's rule for positions: see `PassLimits`. */
  readonly paddingId?: number | null;
  /** The kinds of input that it accepts in addition to token ids or instead of them. */
  readonly inputs?: readonly InputKind[];
  /** Frees what `build` allocated in addition to weights. */
  dispose?(): void;
}

/** A decoder-only language model, built. */
export interface Decoder extends Body {
  /** The shape of a key-value cache per token. */
  readonly cache: { readonly layers: number; readonly width: number };
  /** Hidden rows after the last norm, [T, D]. */
  forward(pass: Pass): Value;
  /** The output projection: logits = head.forward(hidden, pass). */
  readonly head: Linear;
}

/** An encoder-decoder language model, built. */
export interface EncoderDecoder extends Body {
  /** The shape of the decoder's cache per token; keys and values of cross-attention have the same width. */
  readonly cache: { readonly layers: number; readonly width: number };
  readonly decoderStartTokenId: number;
  /** Hidden rows of the encoder, [S, D]. */
  encode(pass: Pass): Value;
  /** Computes keys and values of every layer's cross-attention from the encoder's rows, for `cache` to keep. */
  project(rows: Value, encoder: Pass, cache: { keep(layer: number, k: Value, v: Value): void }): void;
  /** Hidden rows of the decoder for the head, [T, D]. */
  decode(pass: Pass, memory: CrossAttention): Value;
  readonly head: Linear;
}

/** A bare encoder, built. */
export interface Encoder extends Body {
  /** Hidden rows after the last layer, [T, D]. */
  forward(pass: Pass): Value;
  /** The published pooler's output [sequences, D], if the architecture has one. */
  pool?(hidden: Value, pass: Pass): Value;
}

/** A model that ends with the head of its task, built. */
export interface Headed extends Body {
  /** The number of classes, or outputs, of the head. */
  readonly outputs: number;
  /**
   * Logits: [sequences, outputs] for a class of each sequence, [T, outputs] for classes of tokens and for spans (2).
   * For classes of tokens, `rows` selects rows.
   */
  forward(pass: Pass, rows?: Int32Array): Value;
}

/**
 * What is built for each kind of head. A task (src/tasks/) states which one it needs; a custom head may be any Body.
 */
export interface Bodies {
  languageModel: Decoder;
  encoderDecoder: EncoderDecoder;
  sequenceLabels: Headed;
  tokenLabels: Headed;
  answerSpan: Headed;
  imageLabels: Headed;
  features: Encoder;
  [own: string]: Body;
}

/** One architecture of a model type: the transformers class for a head. */
export interface HeadDefinition<Config, B extends Body = Body> {
  /** The class name in `architectures` of a saved config. */
  readonly architecture: string;
  /** Requests layers by their published names and connects them. */
  build(config: Config, weights: Weights, engine: Engine): B;
}

/**
 * Layers that adapters act on if the user specifies none: PEFT's own tables, by the role of the layers for a method. A
 * method chooses one of them, so that models and methods do not depend on each other's names.
 */
export interface DefaultTargets {
  /** Layers for a change of weights. */
  readonly linear: readonly string[];
  /** The suggestion to the user if PEFT has no table: `linear` is empty. */
  readonly suggested?: readonly string[];
  /** Layers that share a budget of ranks; `linear` by default. */
  readonly budgeted?: readonly string[];
  /** Layers whose outputs or inputs are rescaled. */
  readonly rescaled?: { readonly outputs: readonly string[]; readonly inputs: readonly string[] };
  /** Norms that are trained. */
  readonly norms?: readonly string[];
  /** The attention modules that attend to prompts. */
  readonly attention?: string;
}

/** A model type: one file in src/models/, named by its published `model_type`. */
export interface ModelDefinition<Config = unknown> {
  readonly modelType: string;
  /** The prefix of published names that some checkpoints omit ("model", "transformer"). */
  readonly prefix: string;
  /** One line for `lorikeet models`: name and paper. */
  readonly title: string;
  readonly targets: DefaultTargets;
  /** What becomes of the keys that `config` does not read. */
  readonly keys: ConfigKeys;
  /** Reads the published config. Throws UnsupportedError for values that are not supported, FormatError for wrong ones. */
  config(reader: ConfigReader): Config;
  /** By kind of head. The first is the default for a config that names no known architecture. */
  readonly heads: { readonly [H in keyof Bodies]?: HeadDefinition<Config, Bodies[H]> };
}

/** Gives a definition back whose `config` first refuses what the model does not support. */
export function defineModel<Config>(definition: ModelDefinition<Config>): ModelDefinition<Config> {
  const only = { ...commonOnly, ...definition.keys.only };
  return {
    ...definition,
    config(reader) {
      refuseUnsupported(reader, only);
      return definition.config(byOwnNames(reader, definition.keys.alsoCalled ?? {}));
    },
  };
}
