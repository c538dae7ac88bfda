/** Shared by all models, independent of the task: weights by published name, and a loss for training. */

import type { TargetLike } from "../../checkpoint/open.ts";
import { StateError } from "../../core/errors.ts";
import type { ProblemType } from "../../core/labels.ts";
import type { Task } from "../../core/task.ts";
import { Tape, type Tensor, type Value } from "../../tape/tape.ts";
import type { DenseDtype, Param, Weight } from "../../tensor/tensor.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { RawConfig } from "../config.ts";
import type { Body, DefaultTargets, ModelDefinition } from "../define-model.ts";
import type { Module, Near, Site, Weights } from "../layers/weights.ts";
import type { InputKind } from "../pass/inputs.ts";
import { Pass, type PassOptions } from "../pass/pass.ts";
import type { Labelled, LabelledSequences, Sequences } from "../pass/sequences.ts";
import type { Stack, VirtualTokens } from "../pass/virtual-tokens.ts";
import { finiteOutputs } from "./finite-outputs.ts";
import { ModelUses } from "./model-uses.ts";
import type { Measured, TaskModel } from "./task-model.ts";
import type { TaskTraits } from "./task-traits.ts";

/** What a model is made of. */
export interface ModelParts<B extends Body = Body> {
  readonly engine: Engine;
  /** Of a model that is spread over several memories. */
  readonly near?: Near | undefined;
  readonly task: TaskTraits;
  readonly definition: ModelDefinition;
  readonly architecture: string;
  readonly config: RawConfig;
  readonly body: B;
  readonly weights: Weights;
  /** The base in an adapter's config: a path or hub name. */
  readonly nameOrPath: string;
  /** The published generation_config.json, where the task writes text and the folder has one. */
  readonly generationConfig?: RawConfig | null;
  /** Whether the engine was created for this model and is disposed of with it. */
  readonly ownsEngine: boolean;
  /** Writes the model as a folder. */
  readonly save: (model: Model, to: TargetLike, options?: SaveModelOptions) => Promise<void>;
}

/** How a model is written. */
export interface SaveModelOptions {
  /** One dtype for all tensors; by default each keeps the one it was loaded with. Rounding is to nearest even. */
  dtype?: DenseDtype;
}

/** The adapters on a model, as it knows them. */
export interface ActingOnModel {
  /** What their effect depends on: the same things, the same effect. */
  readonly effect: readonly unknown[];
  /** Takes them off and frees them. */
  clear(): void;
}

/** A model in an engine, created by one of the `AutoModel` classes. Adapters change its layers in place. */
export abstract class Model<B extends Body = Body> implements TaskModel {
  readonly engine: Engine;
  /** Where its layers are; undefined if all are in one memory. */
  readonly near: Near | undefined;
  /** What follows from the task. */
  readonly traits: TaskTraits;
  readonly modelType: string;
  readonly architecture: string;
  /** PEFT's tables of modules to adapt if the user specifies none. */
  readonly targets: DefaultTargets;
  /** The parsed config.json. Replaced if merging unties the output projection. */
  config: RawConfig;
  /** The published generation_config.json, as parsed, which `generate` follows; null where there is none. */
  generationConfig: RawConfig | null;
  readonly nameOrPath: string;
  /** Layers with weights, by published name. */
  readonly modules: ReadonlyMap<string, Module>;
  /** Places without weights where adapters may act, in order. */
  readonly sites: readonly Site[];
  /** Replaces every dropout probability of the config in training, when set. */
  dropout: number | null = null;
  /** How many adapters there are on the model, active or not. */
  adapterCount = 0;
  /** Who holds them; null if there are none. */
  adapted: ActingOnModel | null = null;
  /** Rows that the table of tokens had before it was first resized; null if it never was. */
  resizedFrom: number | null = null;
  /** Virtual tokens before every sequence: those of the active prompt method. */
  virtual: VirtualTokens | null = null;
  /** How often it was decided which adapters act: who runs several passes on the model itself looks here. */
  adapterChanges = 0;
  /** How often its own weights were replaced or changed for good: what was made for them before no longer fits. */
  weightChanges = 0;
  readonly uses: ModelUses = new ModelUses();
  protected readonly body: B;
  readonly #ownsEngine: boolean;
  readonly #save: ModelParts["save"];
  #disposed = false;

  constructor(parts: ModelParts<B>) {
    this.engine = parts.engine;
    this.near = parts.near;
    this.traits = parts.task;
    this.modelType = parts.definition.modelType;
    this.architecture = parts.architecture;
    this.targets = parts.definition.targets;
    this.config = parts.config;
    this.generationConfig = parts.generationConfig ?? null;
    this.nameOrPath = parts.nameOrPath;
    this.modules = parts.weights.modules;
    this.sites = parts.weights.sites;
    this.body = parts.body;
    this.#ownsEngine = parts.ownsEngine;
    this.#save = parts.save;
  }

  /** Whether its weights are freed. */
  get disposed(): boolean {
    return this.#disposed;
  }
  /** Throws StateError once the model or its engine is disposed of; `doing` is the call that needs it. */
  expectLive(doing: string): void {
    const name = this.nameOrPath === "" ? "" : ` "${this.nameOrPath}"`;
    if (this.#disposed)
      throw new StateError(`${doing}: the model${name} (${this.architecture}) was disposed of; load it again`);
    this.engine.expectLive(doing);
  }

  watch(doing: string): () => void {
    this.expectLive(doing);
    const params = [...this.namedWeights().values()].filter((weight) => weight.kind === "param");
    const state = () => [
      ...[this.adapted, this.weightChanges, params.reduce((sum, param) => sum + param.updates, 0)],
      ...(this.adapted?.effect ?? []),
    ];
    const before = state();
    return () => {
      this.expectLive(doing);
      const now = state();
      if (now.length === before.length && now.every((part, i) => part === before[i])) return;
      throw new StateError(
        `${doing}: the model was trained, or what acts on it changed, before this ended; wait for one before the other`,
      );
    };
  }
  /** What the model is for. */
  get task(): Task {
    return this.traits.name;
  }
  /** The kinds of input that it accepts in addition to token ids or instead of them. */
  get inputKinds(): readonly InputKind[] {
    return this.body.inputs ?? [];
  }
  get vocabSize(): number {
    return this.body.vocabSize;
  }
  /** The numbers in a hidden row: what most of its linear layers take. */
  get width(): number {
    const counts = new Map<number, number>();
    for (const module of this.modules.values()) {
      if (module.kind === "linear") counts.set(module.inFeatures, (counts.get(module.inFeatures) ?? 0) + 1);
    }
    const [[width] = [0]] = [...counts].sort(([, one], [, other]) => other - one);
    return width;
  }
  /** The longest sequence of given tokens: the positions minus those of virtual tokens. */
  get contextLength(): number {
    return this.body.contextLength - this.virtualLength(this.stack);
  }
  /** Longest sequence whose rows do not depend on the other sequences of a batch. */
  get steadyLength(): number {
    return (this.body.steadyLength ?? Number.POSITIVE_INFINITY) - this.virtualLength(this.stack);
  }
  /** Virtual rows, keys or values before a sequence. */
  virtualLength(stack: Stack): number {
    return (this.virtual?.promptLength(stack) ?? 0) + (this.virtual?.prefixLength(stack) ?? 0);
  }
  /** The stack that reads the given ids first. */
  get stack(): Stack {
    return this.traits.stacks[0]!;
  }
  /** Whether outputs belong to the labels instead of to the given ids. */
  get hasTarget(): boolean {
    return this.traits.stacks.length > 1;
  }
  /** The published name of the output projection, "" if there is none. */
  get headName(): string {
    return "";
  }

  abstract loss(tape: Tape, batch: LabelledSequences, options?: PassOptions): Value;
  measure(_tape: Tape, _batch: LabelledSequences): Measured | null {
    return null;
  }
  get labelNames(): readonly string[] | null {
    return null;
  }
  get problemType(): ProblemType | null {
    return null;
  }
  abstract countLabels(example: Labelled): number;
  abstract problemWith(example: Labelled): string | null;
  abstract outputs(tape: Tape, sequences: Sequences, options?: PassOptions): Value;

  /**
   * `outputs` on the host, with their shape. Convenience for small batches. Throws StateError where one is not finite.
   *
   * @example
   * const { data, shape } = model.forward(concatenate([ids]));
   * const [rows, width] = shape;
   */
  forward(sequences: Sequences): Tensor {
    return Tape.once(this.engine, {}, (tape) => finiteOutputs(tape, this.outputs(tape, sequences), "forward"));
  }

  /** Every weight once, by its published name: a tied head appears only as the embedding. */
  namedWeights(): Map<string, Weight> {
    this.expectLive("namedWeights");
    const named = new Map<string, Weight>();
    for (const { weight, bias } of this.modules.values()) {
      named.set(weight.name, weight);
      if (bias) named.set(bias.name, bias);
    }
    return named;
  }

  /**
   * Writes config.json, model.safetensors and, where the model has one, generation_config.json to a folder, a map, or a Target:
   * transformers' `save_pretrained`. The tokenizer's files are not part of the model. Throws StateError while adapters are on it: see
   * `mergeAndUnload`.
   *
   * @example
   * await model.mergeAndUnload().savePretrained("models/merged");
   */
  async savePretrained(to: TargetLike, options?: SaveModelOptions): Promise<void> {
    this.expectLive("savePretrained");
    await this.#save(this, to, options);
  }

  /** Takes note that the table of tokens has `rows` rows from now on. */
  resized(rows: number): void {
    this.resizedFrom ??= this.body.vocabSize;
    this.body.vocabSize = rows;
    this.weightChanges++;
    this.config = { ...this.config, vocab_size: rows };
  }

  /** Makes every weight trainable and returns them. Only a model made by `fromConfig`, or loaded `trainable`, has such weights. */
  trainAll(): Param[] {
    this.uses.expectNone("trainAll");
    return Array.from(this.namedWeights().values(), (weight) => {
      if (weight.kind !== "param")
        throw new StateError(
          `"${weight.name}" was loaded frozen; load the model with trainable: true, or train an adapter`,
        );
      weight.setTrainable(true);
      return weight;
    });
  }

  /** A pass of the first stack over some sequences, with the model's dropout and virtual tokens by default. */
  protected pass(tape: Tape, sequences: Sequences, options: PassOptions = {}, stack: Stack = this.stack): Pass {
    this.expectLive("a pass of the model");
    const { vocabSize, contextLength, paddingId = null, inputs = [] } = this.body;
    const limits = { stack, vocabSize, contextLength, paddingId, inputs };
    return new Pass(tape, sequences, limits, { dropout: this.dropout, virtual: [this.virtual], ...options });
  }

  /**
   * Frees the weights, the adapters on the model, and the engine if it was created for this model. Calls under way that
   * only read the model end with StateError. Throws StateError while it is trained.
   */
  dispose(): void {
    if (this.#disposed) return;
    this.uses.expectNone("dispose");
    this.adapted?.clear();
    const weights = Array.from(this.modules.values(), ({ weight, bias }) => [weight, bias]).flat();
    this.#disposed = true;
    for (const weight of weights) weight?.dispose();
    this.body.dispose?.();
    if (this.#ownsEngine) this.engine.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
