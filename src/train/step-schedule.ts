/**
 * Determines which examples each optimizer step uses. A pure function of the settings, so that any step can be
 * reproduced.
 */
import { batchSchedule } from "../data/batches.ts";
import type { Settings } from "./arguments.ts";

/** One optimizer step: the examples of each micro-batch. */
export type StepBatches = readonly (readonly number[])[];

/** The position of a run: the next step is number `position` of epoch `epoch`, both counted from 0. */
export interface Position {
  readonly epoch: number;
  readonly position: number;
}

export class StepSchedule {
  /** Optimizer steps of the whole run. */
  readonly steps: number;
  readonly #args: Settings;
  readonly #lengths: readonly number[];
  #held: { epoch: number; steps: StepBatches[] } | null = null;

  /** `lengths` are the tokens of each example. */
  constructor(lengths: readonly number[], args: Settings) {
    this.#lengths = lengths;
    this.#args = args;
    this.steps = args.maxSteps ?? this.#countSteps(args.numTrainEpochs);
  }

  /** The optimizer steps of an epoch. The remaining micro-batches at its end form a smaller step. */
  epoch(epoch: number): StepBatches[] {
    if (this.#held?.epoch === epoch) return this.#held.steps;
    const { perDeviceTrainBatchSize, tokensPerBatch, gradientAccumulationSteps, shuffle, seed } = this.#args;
    const batches = batchSchedule({
      lengths: this.#lengths,
      ...(tokensPerBatch === null ? { batchSize: perDeviceTrainBatchSize } : { tokenBudget: tokensPerBatch }),
      shuffle,
      seed,
      epoch,
    });
    const steps: StepBatches[] = [];
    for (let at = 0; at < batches.length; at += gradientAccumulationSteps) {
      steps.push(batches.slice(at, at + gradientAccumulationSteps));
    }
    this.#held = { epoch, steps };
    return steps;
  }

  /** The position after this one. */
  after({ epoch, position }: Position): Position {
    return position + 1 < this.epoch(epoch).length
      ? { epoch, position: position + 1 }
      : { epoch: epoch + 1, position: 0 };
  }

  /** Epochs completed, with a fraction: micro-batches done of those in the epoch. */
  epochsDone({ epoch, position }: Position): number {
    if (position === 0) return epoch;
    const count = (steps: readonly StepBatches[]) => steps.reduce((sum, step) => sum + step.length, 0);
    const steps = this.epoch(epoch);
    return epoch + count(steps.slice(0, position)) / count(steps);
  }

  /** All micro-batches of the run in order. */
  *microBatches(): Iterable<readonly number[]> {
    let at: Position = { epoch: 0, position: 0 };
    for (let step = 0; step < this.steps; step++) {
      yield* this.epoch(at.epoch)[at.position]!;
      at = this.after(at);
    }
  }

  #countSteps(epochs: number): number {
    const whole = Math.floor(epochs);
    if (this.#args.tokensPerBatch === null) {
      const { length } = this.epoch(0); // all epochs have as many
      return Math.ceil(length * whole + length * (epochs - whole));
    }
    let steps = 0;
    for (let epoch = 0; epoch < epochs; epoch++) steps += this.epoch(epoch).length * Math.min(1, epochs - epoch);
    return Math.ceil(steps);
  }
}
