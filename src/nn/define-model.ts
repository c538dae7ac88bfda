import type { AttentionShape, Heads } from "../ops/attention.ts";
import type { Value } from "../tape/tape.ts";
import type { Engine } from "../wasm/engine.ts";
import type { ConfigReader } from "./config.ts";
import type { Linear } from "./layers/linear.ts";
import type { Weights } from "./layers/weights.ts";
import type { InputKind } from "./pass/inputs.ts";
import type { Pass } from "./pass/pass.ts";

/** What every model that is built has. */
export interface Body {
  readonly vocabSize: number;
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
  /** The output projection: logits = head.forward(hidden). */
  readonly head: Linear;
}

/** The encoder's side of cross-attention: its rows, or the keys and values kept of them. See src/nn/pass/cross-attention.ts. */
export interface CrossAttention {
  /**
   * softmax(scale·q·kᵀ)·v over the source of each sequence, for the rows of the decoder's pass. `project` computes keys and
   * values of a layer from the encoder's hidden rows; it is not called where they are kept.
   */
  attend(
    layer: number,
    pass: Pass,
    q: Heads,
    shape: AttentionShape,
    project: (rows: Value) => { k: Value; v: Value },
  ): Value;
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

/** `target_modules` when the user names none: PEFT's own tables. */
export interface DefaultTargets {
  /** For LoRA and the methods that take its table. */
  readonly linear: readonly string[];
  /** What to suggest to the user where PEFT has no table: `linear` is empty. */
  readonly suggested?: readonly string[];
  readonly ADALORA?: readonly string[];
  readonly IA3?: { readonly targets: readonly string[]; readonly feedforward: readonly string[] };
  readonly LN_TUNING?: readonly string[];
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
