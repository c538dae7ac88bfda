/** A decoder-only language model: what a tape needs to run it, train it and save it. */
import { StateError } from "../core/errors.ts";
import { crossEntropy, headCrossEntropy } from "../ops/cross-entropy.ts";
import { gatherRows, type Ids } from "../ops/embedding.ts";
import { Tape, type Value } from "../tape/tape.ts";
import type { Param, Weight } from "../tensor/tensor.ts";
import type { Engine } from "../wasm/engine.ts";
import type { RawConfig } from "./config.ts";
import type { Decoder, ModelDefinition } from "./define-model.ts";
import { KvCache } from "./kv-cache.ts";
import { Pass, type PassOptions } from "./pass.ts";
import { expectIds, type LabelledSequences, type Sequences, targetsOf } from "./sequences.ts";
import type { Module } from "./weights.ts";

export interface CausalLMParts {
  readonly engine: Engine;
  readonly definition: ModelDefinition;
  readonly config: RawConfig;
  readonly decoder: Decoder;
  readonly modules: ReadonlyMap<string, Module>;
  /** What an adapter's config gives as its base: a path or hub name. */
  readonly nameOrPath: string;
  /** Whether the engine was made for this model and goes with it. */
  readonly ownsEngine: boolean;
}

/** A decoder-only language model in an engine, made by `AutoModelForCausalLM`. Adapters change its layers in place. */
export class CausalLM {
  readonly engine: Engine;
  readonly modelType: string;
  readonly architecture: string;
  readonly adaptByDefault: readonly string[];
  /** The published config.json, as parsed. Replaced when merging unties the output projection. */
  config: RawConfig;
  readonly nameOrPath: string;
  /** Layers with weights, by published name. */
  readonly modules: ReadonlyMap<string, Module>;
  /** Replaces every dropout probability of the config in training, when set. */
  dropout: number | null = null;
  readonly #decoder: Decoder;
  readonly #ownsEngine: boolean;
  #disposed = false;

  constructor(parts: CausalLMParts) {
    this.engine = parts.engine;
    this.modelType = parts.definition.modelType;
    this.architecture = parts.definition.architecture;
    this.adaptByDefault = parts.definition.adaptByDefault;
    this.config = parts.config;
    this.nameOrPath = parts.nameOrPath;
    this.modules = parts.modules;
    this.#decoder = parts.decoder;
    this.#ownsEngine = parts.ownsEngine;
  }

  get vocabSize(): number {
    return this.#decoder.vocabSize;
  }
  get contextLength(): number {
    return this.#decoder.contextLength;
  }
  /** Published name of the output projection. */
  get headName(): string {
    return this.#decoder.head.name;
  }

  /** Every weight once, by its published name: a tied head appears as the embedding it is. */
  namedWeights(): Map<string, Weight> {
    const named = new Map<string, Weight>();
    for (const { weight, bias } of weightsOf(this.modules)) {
      named.set(weight.name, weight);
      if (bias) named.set(bias.name, bias);
    }
    return named;
  }

  /** Hidden rows after the last norm [T, D], recorded on `tape`. */
  hidden(tape: Tape, sequences: Sequences, options: PassOptions = {}): Value {
    const pass = new Pass(tape, sequences, this.#decoder, { dropout: this.dropout, ...options });
    const hidden = this.#decoder.forward(pass);
    if (!tape.planning) options.cache?.advance(sequences.starts);
    return hidden;
  }

  /**
   * Losses in nats of each labelled position, [R, 1], recorded on `tape`. Rows without a label are dropped before the output
   * projection. Seed the backward pass with 1 / (label tokens of the optimiser step) for the mean.
   */
  loss(tape: Tape, batch: LabelledSequences): Value {
    const { rows, targets } = targetsOf(batch);
    if (rows.length === 0) throw new StateError("loss: no position of the batch has a label");
    expectIds("labels", targets, this.vocabSize);
    const ids = (data: Int32Array): Ids => ({ tape, ptr: tape.upload(data), count: data.length });
    const { head } = this.#decoder;
    return tape.scope(() => {
      const hidden = gatherRows(this.hidden(tape, batch), ids(rows));
      const plain = head.deltas.length === 0 && head.bias === null && head.stored === "out-in";
      return plain
        ? headCrossEntropy(hidden, head.weight, ids(targets))
        : crossEntropy(head.forward(hidden), ids(targets));
    });
  }

  /** Logits [R, V] of the given rows of the batch, all rows by default. */
  logits(tape: Tape, sequences: Sequences, rows?: Int32Array, options: PassOptions = {}): Value {
    return tape.scope(() => {
      const hidden = this.hidden(tape, sequences, options);
      if (!rows) return this.#decoder.head.forward(hidden);
      return this.#decoder.head.forward(gatherRows(hidden, { tape, ptr: tape.upload(rows), count: rows.length }));
    });
  }

  /** Logits of a batch on the host, [T · V] row by row. Convenience for tests and small batches. */
  forward(sequences: Sequences): Float32Array {
    return Tape.once(this.engine, {}, (tape) => tape.download(this.logits(tape, sequences)));
  }

  /** An empty key-value cache for `sequences` sequences of up to `capacity` tokens. */
  cache(capacity: number, sequences = 1): KvCache {
    return new KvCache(this.engine, { ...this.#decoder.cache, capacity, sequences });
  }

  /** Makes every weight trainable and returns them. Only a model made by `fromConfig` has weights that can be trained. */
  trainAll(): Param[] {
    return Array.from(this.namedWeights().values(), (weight) => {
      if (weight.kind !== "param")
        throw new StateError(`"${weight.name}" was loaded frozen; train an adapter on it instead`);
      weight.setTrainable(true);
      return weight;
    });
  }

  /** Frees the weights, and the engine if it was made for this model. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const weight of this.namedWeights().values()) {
      if (weight.kind === "param") weight.dispose();
      else this.engine.memory.free(weight.ptr);
    }
    this.#decoder.dispose?.();
    if (this.#ownsEngine) this.engine.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}

function* weightsOf(modules: ReadonlyMap<string, Module>): Iterable<{ weight: Weight; bias: Weight | null }> {
  for (const module of modules.values())
    yield { weight: module.weight, bias: module.kind === "embedding" ? null : module.bias };
}
