import type { Value } from "../tape/tape.ts";
import type { Engine } from "../wasm/engine.ts";
import type { ConfigReader } from "./config.ts";
import type { Linear } from "./layers/linear.ts";
import type { Weights } from "./layers/weights.ts";
import type { CrossAttention } from "./pass/cross-attention.ts";
import type { InputKind } from "./pass/inputs.ts";
import type { Pass } from "./pass/pass.ts";

/** What every model that is built has. */
export interface Body {
  /** Rows of the table of tokens. */
  vocabSize: number;
  /** Longest sequence the positions allow; Infinity where nothing limits it. */
  readonly contextLength: number;
  /** RoBERTa's rule for positions: see `PassLimits`. */
  readonly paddingId?: number | null;
  /** What it takes besides token ids or in their place. */
  readonly inputs?: readonly InputKind[];
  /** Frees what `build` placed besides weights. */
  dispose?(): void;
}

/** A decoder-only language model, built. */
export interface Decoder extends Body {
  /** What a key-value cache must hold per token. */
  readonly cache: { readonly layers: number; readonly width: number };
  /** Hidden rows after the last norm, [T, D]. */
  forward(pass: Pass): Value;
  /** The output projection: logits = head.forward(hidden, pass). */
  readonly head: Linear;
}

/** An encoder-decoder language model, built. */
export interface EncoderDecoder extends Body {
  /** What the decoder's cache must hold per token; keys and values of cross-attention are as wide. */
  readonly cache: { readonly layers: number; readonly width: number };
  readonly decoderStartTokenId: number;
  /** Hidden rows of the encoder, [S, D]. */
  encode(pass: Pass): Value;
  /** Computes keys and values of every layer's cross-attention from the encoder's rows, for `cache` to keep. */
  project(rows: Value, encoder: Pass, cache: { keep(layer: number, k: Value, v: Value): void }): void;
  /** Hidden rows of the decoder as the head takes them, [T, D]. */
  decode(pass: Pass, memory: CrossAttention): Value;
  readonly head: Linear;
}

/** A bare encoder, built. */
export interface Encoder extends Body {
  /** Hidden rows after the last layer, [T, D]. */
  forward(pass: Pass): Value;
  /** The published pooler's output [sequences, D], where the architecture has one. */
  pool?(hidden: Value, pass: Pass): Value;
}

/** A model that ends in a head of its task, built. */
export interface Headed extends Body {
  /** How many classes, or outputs, the head has. */
  readonly outputs: number;
  /**
   * Logits: [sequences, outputs] for a class of each sequence, [T, outputs] for classes of tokens and for spans (2). For classes
   * of tokens `rows` asks for some rows only.
   */
  forward(pass: Pass, rows?: Int32Array): Value;
}

/** What is built for each kind of head. A task (src/tasks/) says which one it needs; one of its own may be any Body. */
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

/** One architecture of a model type: the class that transformers has for a head. */
export interface HeadDefinition<Config, B extends Body = Body> {
  /** The class name in `architectures` of a saved config. */
  readonly architecture: string;
  /** Asks for layers by published name and says how they are put together. */
  build(config: Config, weights: Weights, engine: Engine): B;
}

/**
 * Layers that adapters act on when the user names none: PEFT's own tables, by what the layers are to a method. A method chooses
 * one of them, so that neither side knows a name of the other.
 */
export interface DefaultTargets {
  /** Layers for a change of weights. */
  readonly linear: readonly string[];
  /** What to suggest to the user where PEFT has no table: `linear` is empty. */
  readonly suggested?: readonly string[];
  /** Layers among which a budget of ranks is divided; `linear` where left out. */
  readonly budgeted?: readonly string[];
  /** Layers whose outputs, or whose inputs, are rescaled. */
  readonly rescaled?: { readonly outputs: readonly string[]; readonly inputs: readonly string[] };
  /** Norms that are trained. */
  readonly norms?: readonly string[];
  /** The attention modules in which prompts are attended to. */
  readonly attention?: string;
}

/** A model type: one file in src/models/, named by its published `model_type`. */
export interface ModelDefinition<Config = unknown> {
  readonly modelType: string;
  /** Leading part of published names that some checkpoints leave out ("model", "transformer"). */
  readonly prefix: string;
  /** One line for `lorikeet models`: name and paper. */
  readonly title: string;
  readonly targets: DefaultTargets;
  /** Reads the published config. */
  config(reader: ConfigReader): Config;
  /** By kind of head. The first is what a config stands for that names no known architecture. */
  readonly heads: { readonly [H in keyof Bodies]?: HeadDefinition<Config, Bodies[H]> };
}

/** Checks a model type's definition and gives it back. */
export function defineModel<Config>(definition: ModelDefinition<Config>): ModelDefinition<Config> {
  return definition;
}
