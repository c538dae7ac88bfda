/** How well a model predicts examples: the mean loss over all their labels, and metrics. */
import { callback, callOptions } from "../../core/call-options.ts";
import { StateError } from "../../core/errors.ts";
import { option, orNull, whole, wholeOrNull } from "../../core/options.ts";
import { batchSchedule } from "../../data/batches.ts";
import type { TaskModel } from "../../nn/tasks/task-model.ts";
import { Tape, type Value } from "../../tape/tape.ts";
import { checkExamples, type TrainingExample } from "../check-examples.ts";
import { plannedBytes } from "../micro-batch.ts";
import { type CountedLosses, type MicroBatch, Objective } from "../objective.ts";

/** What evaluation needs from a model. */
export type Evaluable = Pick<
  TaskModel,
  | "engine"
  | "task"
  | "hasTarget"
  | "loss"
  | "measure"
  | "outputs"
  | "labelNames"
  | "problemType"
  | "countLabels"
  | "problemWith"
  | "watch"
>;

/** How evaluation batches examples and reports progress. */
export interface EvaluateOptions {
  /** Examples per batch, 8 by default. */
  readonly batchSize?: number;
  /** Maximum tokens per batch, instead of a number of examples. */
  readonly tokensPerBatch?: number | null;
  /** Called after each batch with the number of examples done so far and the total. */
  readonly onProgress?: (done: number, all: number) => unknown;
  readonly signal?: AbortSignal;
}

const evaluateOptions = {
  batchSize: whole(8, 1),
  tokensPerBatch: wholeOrNull(1),
  onProgress: callback(),
  signal: orNull(option<unknown>(null, "an AbortSignal", (value) => value instanceof AbortSignal)),
};

/** How well a model predicts the labels of a data set. */
export interface Evaluation {
  /** Mean over all labels, in nats. */
  readonly loss: number;
  /** e to the power of the loss: the usual measure of language models. */
  readonly perplexity: number;
  /** The metrics of the task by name: accuracy, f1, exact_match, ...; empty for language models. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The number of labels: of tokens, of sequences, or two per answer. */
  readonly tokens: number;
  readonly seconds: number;
}

/** Indices of the examples of each batch, in the file's order. */
export function evaluationBatches(
  examples: readonly TrainingExample[],
  { batchSize = 8, tokensPerBatch = null }: EvaluateOptions,
): number[][] {
  const lengths = examples.map(({ inputIds }) => Math.max(1, inputIds.length));
  const limit = tokensPerBatch === null ? { batchSize } : { tokenBudget: tokensPerBatch };
  return batchSchedule({ lengths, ...limit, shuffle: false, seed: 0, epoch: 0 });
}

/** What an evaluation computes: losses by an objective, and outputs if they are used. */
export interface Evaluated {
  readonly model: Evaluable;
  readonly objective: Objective;
  /** Whether the outputs are used even where the task itself has no metrics. */
  readonly usesOutputs: boolean;
  /** The seed of the run, for own collators. */
  readonly seed: number;
}

/** The evaluation of a model with its own loss and the metrics of its task. */
export function plainEvaluation(model: Evaluable): Evaluated {
  return { model, objective: new Objective(model), usesOutputs: false, seed: 0 };
}

/** The losses of a batch, and its outputs where they are used. */
export interface Computed extends CountedLosses {
  readonly outputs: Value | null;
  /** The rows of the outputs that belong to sequence s. */
  readonly rows: (s: number) => readonly [start: number, end: number];
  /** Whether the task has metrics of these outputs. */
  readonly isMeasured: boolean;
}

/** One forward pass, or a second one for an own loss. */
export function computeBatch(tape: Tape, { model, objective, usesOutputs }: Evaluated, batch: MicroBatch): Computed {
  const { sequences, labels: count } = batch;
  const measured = model.measure(tape, sequences);
  const isMeasured = measured !== null;
  const outputs = measured?.outputs ?? (usesOutputs ? model.outputs(tape, sequences) : null);
  const rows = measured ? (s: number) => measured.rows(s) : rowsOf(model, outputs, batch);
  const own = measured && !objective.hasOwnLoss ? { losses: measured.losses, count } : objective.losses(tape, batch);
  return { ...own, outputs, rows, isMeasured };
}

/** The rows of outputs that belong to the given tokens of each sequence: those after its virtual tokens. */
function rowsOf({ hasTarget }: Evaluable, outputs: Value | null, { sequences }: MicroBatch): Computed["rows"] {
  const ends = hasTarget ? sequences.labelStarts : sequences.starts;
  const count = ends.length - 1;
  const rows = outputs?.shape[0] ?? ends[count]!;
  const virtual = (rows - ends[count]!) / count;
  if (!Number.isInteger(virtual) || virtual < 0)
    throw new StateError(
      `evaluation: the model has ${rows} rows of outputs for ${ends[count]} tokens in ${count} sequences, so they cannot be told apart`,
    );
  return (s) => [ends[s]! + virtual * (s + 1), ends[s + 1]! + virtual * (s + 1)];
}

/** Bytes of working memory that evaluation needs. */
export function evaluationBytes(
  evaluated: Evaluated,
  examples: readonly TrainingExample[],
  options: EvaluateOptions,
): number {
  const { objective, seed } = evaluated;
  const planned = { examples, batches: evaluationBatches(examples, options), training: false, seed };
  return plannedBytes(objective, planned, (batch) =>
    Tape.plan(objective.engine, {}, (tape) => computeBatch(tape, evaluated, batch)),
  );
}

/**
 * Loss, perplexity and metrics of `examples` in the file's order. Throws FormatError that lists every example that does
 * not fit the model, or every wrong option; StateError if a loss is not finite.
 *
 * @example
 * const { perplexity } = await evaluateLoss(model, examples, { batchSize: 16 });
 */
export async function evaluateLoss(
  model: Evaluable,
  examples: readonly TrainingExample[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  callOptions("evaluateLoss", evaluateOptions, options);
  checkExamples("evaluation data", examples, { model, tokensPerBatch: options.tokensPerBatch ?? null });
  const expectUnchanged = model.watch("evaluation");
  const { evaluateIn } = await import("./run-evaluation.ts");
  expectUnchanged();
  const plain = plainEvaluation(model);
  const {
    isText: _,
    prediction: __,
    ...evaluation
  } = await evaluateIn(evaluationBytes(plain, examples, options), plain, examples, options);
  return evaluation;
}
