/** What the trainer needs of a model: one interface, so that it knows neither architectures nor methods. */
import type { Target } from "../core/host.ts";
import type { ProblemType } from "../core/labels.ts";
import type { Task } from "../core/task.ts";
import type { Labelled, LabelledSequences } from "../nn/pass/sequences.ts";
import type { Measured, Model } from "../nn/tasks/model.ts";
import type { Tape, Value } from "../tape/tape.ts";
import type { Param } from "../tensor/tensor.ts";
import type { Engine } from "../wasm/engine.ts";

/** A model with something to train: a PeftModel, or a whole model by `fullTraining`. */
export interface Trainable {
  readonly engine: Engine;
  readonly task: Task;
  readonly vocabSize: number;
  readonly contextLength: number;
  /** Replaces every dropout probability in training, when set. */
  dropout: number | null;
  /** Losses [R, 1] of everything that is labelled, recorded on `tape`; R is the sum of `countLabels`, or more by what a method adds. */
  loss(tape: Tape, batch: LabelledSequences): Value;
  /** Losses and what they are computed from, for metrics; null where the task has the loss alone. */
  measure?(tape: Tape, batch: LabelledSequences): Measured | null;
  /** Names of the classes, where the task has some. */
  readonly labelNames?: readonly string[] | null;
  readonly problemType?: ProblemType | null;
  /** How many losses an example adds to those of its batch. */
  countLabels(example: Labelled): number;
  /** Why an example cannot be computed with, or null. */
  problemWith(example: Labelled): string | null;
  /** Bytes in memory of what training puts beside the base's weights: an adapter and its gradients, or the gradients alone. */
  readonly adapterBytes: number;
  /** What is trained, by the name it has in a file, always in the same order. */
  namedTrainable(): Map<string, Param>;
  /** Writes what was trained, as users load it. */
  savePretrained(target: Target): Promise<void>;
  /** Called after each optimiser step; the gradients of the step, times `gradScale` as clipping had it, are still there. */
  afterStep?(step: number, gradScale: number): void;
  /** What a checkpoint needs besides the trained tensors, by name: the live arrays. */
  namedState?(): ReadonlyMap<string, Float32Array>;
}

/**
 * Trains all weights of a model made by `fromConfig`, or loaded with `trainable: true`. `save` writes the model.
 *
 * @example
 * const model = await AutoModelForCausalLM.fromConfig(config, { seed: 1 });
 * await new Trainer({ model: fullTraining(model, (target) => saveModel(model, target)), trainDataset }).train();
 */
export function fullTraining(model: Model, save: (target: Target) => Promise<void>): Trainable {
  const named = new Map(model.trainAll().map((param) => [param.name, param]));
  return {
    engine: model.engine,
    task: model.task,
    vocabSize: model.vocabSize,
    contextLength: model.contextLength,
    get dropout() {
      return model.dropout;
    },
    set dropout(p) {
      model.dropout = p;
    },
    loss: (tape, batch) => model.loss(tape, batch),
    measure: (tape, batch) => model.measure(tape, batch),
    labelNames: model.labelNames,
    problemType: model.problemType,
    countLabels: (example) => model.countLabels(example),
    problemWith: (example) => model.problemWith(example),
    adapterBytes: Array.from(named.values()).reduce((sum, { bytes }) => sum + bytes / 2, 0),
    namedTrainable: () => named,
    savePretrained: save,
  };
}
