/** What a model is to those who run, train and measure it, whether or not adapters act in it. */
import type { ProblemType } from "../../core/labels.ts";
import type { Task } from "../../core/task.ts";
import type { Tape, Value } from "../../tape/tape.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { InputKind } from "../pass/inputs.ts";
import type { PassOptions } from "../pass/pass.ts";
import type { Labelled, LabelledSequences, Sequences } from "../pass/sequences.ts";

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
  /** Longest sequence of given tokens: the positions less what virtual tokens take. */
  readonly contextLength: number;
  /** Longest sequence whose rows do not depend on the other sequences of a batch. */
  readonly steadyLength: number;
  /** What it takes besides token ids or in their place. */
  readonly inputKinds: readonly InputKind[];
  /** Names of the classes in order, null where the task has none. */
  readonly labelNames: readonly string[] | null;
  /** What the outputs of a classifier mean. */
  readonly problemType: ProblemType | null;
  /** Replaces every dropout probability of the config in training, when set. Adapters keep their own. */
  dropout: number | null;
  /**
   * Losses in nats [R, 1] of everything that is labelled in a batch, recorded on `tape`. Seed the backward pass with 1 / (labels
   * of the optimizer step) for the mean. R is the sum of `countLabels`, or more by what an adapter adds.
   */
  loss(tape: Tape, batch: LabelledSequences, options?: PassOptions): Value;
  /** Losses and what they are computed from, for metrics; null where the task has the loss alone. */
  measure(tape: Tape, batch: LabelledSequences): Measured | null;
  /** What the model says of each sequence, recorded on `tape`: logits, or hidden rows where the task is features. */
  outputs(tape: Tape, sequences: Sequences, options?: PassOptions): Value;
  /** How many losses an example adds to those of its batch. */
  countLabels(example: Labelled): number;
  /** Why an example cannot be computed with, or null. */
  problemWith(example: Labelled): string | null;
}

/** A model around another, which it is in everything that it does not do its own way. */
export abstract class ModelAround<M extends TaskModel> implements TaskModel {
  /** The model below. */
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
