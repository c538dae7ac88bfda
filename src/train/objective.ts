/** What is learned from a batch: how examples become one, and the losses of it. By default both are the model's. */
import { FormatError, StateError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { PassOptions } from "../nn/pass/pass.ts";
import { concatenateLabelled, type Labelled, type LabelledSequences } from "../nn/pass/sequences.ts";
import type { TaskModel } from "../nn/tasks/task-model.ts";
import type { Tape, Value } from "../tape/tape.ts";
import type { TrainingExample } from "./check-examples.ts";

/** The sequences of a batch with their labels, and the examples that they are made of. */
export interface Batch<E extends TrainingExample = TrainingExample> extends LabelledSequences {
  readonly examples: readonly E[];
}

/** Losses of a batch, and how many they count for in the mean of an optimizer step: a sum of weights, for instance. */
export interface CountedLosses {
  readonly losses: Value;
  readonly count: number;
}

/**
 * The loss of a batch, recorded on `tape`: a Value of any shape, one number for each row, pair or token, or a single one for the
 * batch. The loss of an optimizer step is the sum of these numbers over all of its batches divided by how many they are, so that
 * gradient accumulation changes only rounding; `{ losses, count }` says what a batch counts for instead. It also runs in plans of
 * memory, where every number is 0: `tape.planning`.
 */
export type ComputeLoss<M, E extends TrainingExample = TrainingExample> = (
  tape: Tape,
  batch: Batch<E>,
  model: M,
) => Value | CountedLosses;

/** What a collator must depend on, besides the examples. */
export interface CollatorContext {
  /** Two numbers that differ for every batch of a run, and are the same when the run is repeated or resumed: for random choices. */
  readonly seed: readonly [number, number];
  /** False in evaluations. */
  readonly training: boolean;
}

/**
 * Makes a batch of examples. It must depend on its arguments alone: plans of memory call it too, and a resumed run calls it again.
 */
export type DataCollator<E extends TrainingExample = TrainingExample> = (
  examples: readonly E[],
  context: CollatorContext,
) => LabelledSequences;

/** Own parts of an objective; null for those of the model. */
export interface OwnParts {
  readonly computeLoss?: ComputeLoss<never, never> | null | undefined;
  readonly dataCollator?: DataCollator<never> | null | undefined;
}

/** What an objective needs from a model. */
export type Learner = Pick<TaskModel, "engine" | "loss" | "countLabels" | "hasTarget"> &
  Partial<Pick<TaskModel, "steadyLength">>;

/** A batch and its counts. */
export interface MicroBatch {
  readonly sequences: Batch;
  /** Tokens of the examples. */
  readonly tokens: number;
  /** The number of losses that the model's own loss has. */
  readonly labels: number;
}

export class Objective {
  readonly model: Learner;
  /** Rows of the parts in which batches run, by their shape; 0 for those that run whole: see src/train/micro-batch.ts. */
  readonly cuts = new Map<string, number>();
  readonly #computeLoss: ComputeLoss<unknown> | null;
  readonly #collate: DataCollator | null;

  constructor(model: Learner, { computeLoss, dataCollator }: OwnParts = {}) {
    this.model = model;
    this.#computeLoss = (computeLoss as ComputeLoss<unknown> | null | undefined) ?? null;
    this.#collate = (dataCollator as DataCollator | null | undefined) ?? null;
  }

  get engine(): Learner["engine"] {
    return this.model.engine;
  }
  get hasOwnLoss(): boolean {
    return this.#computeLoss !== null;
  }
  get hasCollator(): boolean {
    return this.#collate !== null;
  }
  /** Whether everything is as the model has it. */
  get isPlain(): boolean {
    return !this.hasOwnLoss && !this.hasCollator;
  }

  batch(examples: readonly TrainingExample[], context: CollatorContext): MicroBatch {
    const collated = this.#collate === null ? concatenateLabelled(examples) : this.#collate(examples, context);
    if (this.#collate !== null) expectSequences(collated);
    const parts: readonly Labelled[] = this.#collate === null ? examples : sequencesOf(collated);
    return {
      sequences: { ...collated, examples },
      tokens: examples.reduce((sum, example) => sum + tokensOf(example), 0),
      labels: parts.reduce((sum, part) => sum + this.model.countLabels(part), 0),
    };
  }

  /** The losses of a batch, and what they count for. */
  losses(tape: Tape, { sequences, labels }: MicroBatch, options: PassOptions = {}): CountedLosses {
    if (this.#computeLoss === null) return { losses: this.model.loss(tape, sequences, options), count: labels };
    const found = this.#computeLoss(tape, sequences, this.model);
    const losses = (found as CountedLosses)?.losses ?? found;
    if ((losses as Value | null)?.kind !== "value" || losses.tape !== tape)
      throw new FormatError(
        `computeLoss returned ${losses === undefined || losses === null ? losses : `a ${typeof losses}`}, expected a Value made on its tape, or { losses, count }`,
      );
    if (tape.recording && !losses.needsGrad)
      throw new StateError("computeLoss: the result does not depend on what is trained, so there is nothing to learn");
    const count = "count" in found ? found.count : sizeOf(losses.shape);
    if (!tape.planning && !(count > 0 && Number.isFinite(count)))
      throw new FormatError(`computeLoss: count is ${count}, expected a number above 0`);
    return { losses, count };
  }
}

/** The size of an example in a batch: its number of tokens; an image counts as one. */
export function tokensOf({ inputIds }: Pick<Labelled, "inputIds">): number {
  return Math.max(1, inputIds.length);
}

/** The sequences of a batch, each with its labels. */
export function sequencesOf({ ids, starts, labels, labelStarts }: LabelledSequences): Labelled[] {
  return Array.from({ length: starts.length - 1 }, (_, s) => ({
    inputIds: ids.subarray(starts[s], starts[s + 1]),
    labels: labels.subarray(labelStarts[s], labelStarts[s + 1]),
  }));
}

/** Throws FormatError unless a collator returned sequences with their labels. */
function expectSequences(found: LabelledSequences): void {
  const isNumbers = (value: unknown) => value instanceof Int32Array || value instanceof Float32Array;
  const named = { ids: found?.ids, starts: found?.starts, labels: found?.labels, labelStarts: found?.labelStarts };
  const wrong = Object.entries(named).find(([, value]) => !isNumbers(value));
  if (wrong !== undefined)
    throw new FormatError(
      `dataCollator: ${wrong[0]} is ${wrong[1] === undefined ? "missing" : "no typed array"}, expected what concatenateLabelled(examples) returns`,
    );
  const { ids, starts, labels, labelStarts } = found;
  const fits = starts.length > 1 && starts.length === labelStarts.length;
  if (!fits || starts.at(-1) !== ids.length || labelStarts.at(-1) !== labels.length)
    throw new FormatError(
      `dataCollator: starts has ${starts.length} entries up to ${starts.at(-1)} for ${ids.length} ids, and labelStarts ${labelStarts.length} up to ${labelStarts.at(-1)} for ${labels.length} labels, expected one more than sequences in both, ending where these end`,
    );
}
