/**
 * Determines which examples each optimizer step uses. A pure function of the settings, so that any step can be
 * reproduced.
 */
import { FormatError } from "../core/errors.ts";
import { batchSchedule } from "../data/batches.ts";
import type { Settings } from "./arguments.ts";

/** One optimizer step: the examples of each micro-batch. */
export type StepBatches = readonly (readonly number[])[];

/** The position of a run: the next step is number `position` of epoch `epoch`, both counted from 0. */
export interface Position {
  readonly epoch: number;
  readonly position: number;
}

/** An own order of the examples, or which of them belong together. */
export interface Order {
  /** The order of an epoch: indices below `count`. */
  readonly sampler?: ((epoch: number, count: number) => Iterable<number>) | null | undefined;
  /** The number of the group of each example. */
  readonly groups?: ArrayLike<number> | undefined;
}

export class StepSchedule {
  /** Optimizer steps of the whole run. */
  readonly steps: number;
  readonly #args: Settings;
  readonly #lengths: readonly number[];
  readonly #order: Order;
  #held: { epoch: number; steps: StepBatches[] } | null = null;

  /** `lengths` are the tokens of each example. */
  constructor(lengths: readonly number[], args: Settings, order: Order = {}) {
    this.#lengths = lengths;
    this.#order = order;
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
      ...(this.#order.sampler && { order: this.#sampled(this.#order.sampler, epoch) }),
      ...(this.#order.groups && { groups: this.#order.groups }),
    });
    const steps: StepBatches[] = [];
    for (let at = 0; at < batches.length; at += gradientAccumulationSteps) {
      steps.push(batches.slice(at, at + gradientAccumulationSteps));
    }
    this.#held = { epoch, steps };
    return steps;
  }

  #sampled(sampler: NonNullable<Order["sampler"]>, epoch: number): number[] {
    const count = this.#lengths.length;
    const order = Array.from(sampler(epoch, count));
    const wrong = order.find((i) => !Number.isInteger(i) || i < 0 || i >= count);
    if (order.length === 0)
      throw new FormatError(`sampler: epoch ${epoch} has no example, expected at least one index`);
    if (wrong === undefined) return order;
    throw new FormatError(
      `sampler: epoch ${epoch} has the index ${wrong}, expected whole numbers from 0 to ${count - 1}`,
    );
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

  /** The position after `steps` steps, with the micro-batches and tokens up to there. */
  reached(steps: number): Position & { readonly microStep: number; readonly tokens: number } {
    let at: Position = { epoch: 0, position: 0 };
    let microStep = 0;
    let tokens = 0;
    for (let step = 0; step < steps; step++) {
      const batches = this.epoch(at.epoch)[at.position]!;
      microStep += batches.length;
      for (const batch of batches) for (const i of batch) tokens += this.#lengths[i]!;
      at = this.after(at);
    }
    return { ...at, microStep, tokens };
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
    const { sampler, groups } = this.#order;
    if (this.#args.tokensPerBatch === null && !sampler && !groups) {
      const { length } = this.epoch(0); // all epochs have as many
      return Math.ceil(length * whole + length * (epochs - whole));
    }
    let steps = 0;
    for (let epoch = 0; epoch < epochs; epoch++) steps += this.epoch(epoch).length * Math.min(1, epochs - epoch);
    return Math.ceil(steps);
  }
}
