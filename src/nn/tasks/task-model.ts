/** The interface of a model for running, training and measuring it, with or without adapters. */
import type { ProblemType } from "../../core/labels.ts";
import type { Task } from "../../core/task.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { InputKind } from "../pass/inputs.ts";
import type { PassOptions } from "../pass/pass.ts";
import type { Labelled, LabelledSequences, Sequences } from "../pass/sequences.ts";
import type { ModelUses } from "./model-uses.ts";

/** Losses and logits of one batch, from one forward pass. */
export interface Measured {
  readonly losses: Value;
  readonly outputs: Value;
  /** The rows of `outputs` that belong to the given tokens of sequence s, or to the sequence: [start, end). */
  rows(s: number): readonly [start: number, end: number];
}

/** A model for a task. */
export interface TaskModel {
  readonly engine: Engine;
  readonly task: Task;
  readonly vocabSize: number;
  /** The longest sequence of given tokens: the positions minus those of virtual tokens. */
  readonly contextLength: number;
  /** Longest sequence whose rows do not depend on the other sequences of a batch. */
  readonly steadyLength: number;
  /** The kinds of input that it accepts in addition to token ids or instead of them. */
  readonly inputKinds: readonly InputKind[];
  /** The names of the classes in order, null if the task has none. */
  readonly labelNames: readonly string[] | null;
  /** The meaning of a classifier's outputs. */
  readonly problemType: ProblemType | null;
  /** Replaces every dropout probability of the config in training, when set. Adapters keep their own. */
  dropout: number | null;
  /** What runs on the model over several turns of the event loop and allows no change to it. */
  readonly uses: ModelUses;
  /**
   * For a call that reads the model over several turns of the event loop: a function that throws StateError once the
   * model is not what it is now, because it was trained, other adapters became active or it was disposed of.
   */
  watch(doing: string): () => void;
  /**
   * Losses in nats [R, 1] of all labels in a batch, recorded on `tape`. Seed the backward pass with 1 / (labels of the
   * optimizer step) for the mean. R is the sum of `countLabels`, plus the rows that an adapter adds.
   */
  loss(tape: Tape, batch: LabelledSequences, options?: PassOptions): Value;
  /** Losses and the outputs that they are computed from, for metrics; null if the task has only the loss. */
  measure(tape: Tape, batch: LabelledSequences): Measured | null;
  /** The model's outputs for each sequence, recorded on `tape`: logits, or hidden rows if the task is features. */
  outputs(tape: Tape, sequences: Sequences, options?: PassOptions): Value;
  /** The number of losses that an example adds to its batch. */
  countLabels(example: Labelled): number;
  /** Why an example cannot be used, or null. */
  problemWith(example: Labelled): string | null;
}

/** A wrapper around another model that forwards everything it does not override. */
export abstract class ModelAround<M extends TaskModel> implements TaskModel {
  /** The wrapped model. */
  readonly base: M;

  constructor(base: M) {
    this.base = base;
  }
  get engine(): Engine {
    return this.base.engine;
  }
  get task(): Task {
    return this.base.task;
  }
  get vocabSize(): number {
    return this.base.vocabSize;
  }
  get contextLength(): number {
    return this.base.contextLength;
  }
  get steadyLength(): number {
    return this.base.steadyLength;
  }
  get inputKinds(): readonly InputKind[] {
    return this.base.inputKinds;
  }
  get labelNames(): readonly string[] | null {
    return this.base.labelNames;
  }
  get problemType(): ProblemType | null {
    return this.base.problemType;
  }
  get dropout(): number | null {
    return this.base.dropout;
  }
  set dropout(p: number | null) {
    this.base.dropout = p;
  }
  get uses(): ModelUses {
    return this.base.uses;
  }
  watch(doing: string): () => void {
    return this.base.watch(doing);
  }
  loss(tape: Tape, batch: LabelledSequences, options?: PassOptions): Value {
    return this.base.loss(tape, batch, options);
  }
  measure(tape: Tape, batch: LabelledSequences): Measured | null {
    return this.base.measure(tape, batch);
  }
  outputs(tape: Tape, sequences: Sequences, options?: PassOptions): Value {
    return this.base.outputs(tape, sequences, options);
  }
  countLabels(example: Labelled): number {
    return this.base.countLabels(example);
  }
  problemWith(example: Labelled): string | null {
    return this.base.problemWith(example);
  }
}
