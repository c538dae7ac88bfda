/** How well a model predicts examples: the mean loss over all their labels, and the metrics of the task. */
import { StateError } from "../core/errors.ts";
import { batchSchedule } from "../data/batches.ts";
import type { Metrics, Prediction } from "../metrics/metrics.ts";
import type { TaskModel } from "../nn/tasks/task-model.ts";
import { Tape } from "../tape/tape.ts";
import { checkExamples, nameExample, type TrainingExample } from "./check-examples.ts";
import { type MicroBatch, microBatch, plannedBytes, sumOf, tokensOf } from "./micro-batch.ts";
import { eventLoopYield } from "./yield-to-event-loop.ts";

/** What evaluation needs from a model. */
export type Evaluable = Pick<
  TaskModel,
  "engine" | "task" | "loss" | "measure" | "labelNames" | "problemType" | "countLabels" | "problemWith" | "watch"
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
function batchesOf(
  examples: readonly TrainingExample[],
  { batchSize = 8, tokensPerBatch = null }: EvaluateOptions,
): number[][] {
  const lengths = examples.map(tokensOf);
  const limit = tokensPerBatch === null ? { batchSize } : { tokenBudget: tokensPerBatch };
  return batchSchedule({ lengths, ...limit, shuffle: false, seed: 0, epoch: 0 });
}

/** Bytes of working memory that evaluation needs. */
export function evaluationBytes(
  model: Evaluable,
  examples: readonly TrainingExample[],
  options: EvaluateOptions,
): number {
  return plannedBytes(measuring(model), examples, batchesOf(examples, options), false);
}

/** The model with a loss that computes outputs too, where it has metrics: for planning. */
function measuring(model: Evaluable): Pick<Evaluable, "engine" | "loss" | "countLabels"> {
  return {
    engine: model.engine,
    loss: (tape, batch) => model.measure(tape, batch)?.losses ?? model.loss(tape, batch),
    countLabels: (example) => model.countLabels(example),
  };
}

/**
 * Loss, perplexity and metrics of `examples` in the file's order. Throws FormatError that lists every example that does
 * not fit the model, StateError if a loss is not finite.
 *
 * @example
 * const { perplexity } = await evaluateLoss(model, examples, { batchSize: 16 });
 */
export async function evaluateLoss(
  model: Evaluable,
  examples: readonly TrainingExample[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkExamples("evaluation data", examples, { model, tokensPerBatch: options.tokensPerBatch ?? null });
  return evaluateIn(evaluationBytes(model, examples, options), model, examples, options);
}

/** The same in `bytes` of working memory, for examples that are already checked. */
export async function evaluateIn(
  bytes: number,
  model: Evaluable,
  examples: readonly TrainingExample[],
  options: EvaluateOptions,
): Promise<Evaluation> {
  const began = performance.now();
  const breathe = eventLoopYield();
  const expectUnchanged = model.watch("evaluation");
  let [sum, tokens, done] = [0, 0, 0];
  const scored: TrainingExample[] = [];
  const predictions: Prediction[] = [];
  let metrics: Metrics<Prediction> | null = null;
  for (const indices of batchesOf(examples, options)) {
    options.signal?.throwIfAborted();
    expectUnchanged();
    const batch = microBatch(model, examples, indices);
    const { loss, outputs } = lossAndOutputs(model, bytes, batch);
    if (!Number.isFinite(loss)) {
      const named = indices.map((i) => nameExample(examples, i)).join(", ");
      throw new StateError(`evaluation: loss is ${loss}, expected a finite number (${named})`);
    }
    sum += loss;
    tokens += batch.labels;
    if (outputs.length > 0) metrics ??= await metricsOf(model);
    for (const [s, logits] of outputs.entries()) {
      const example = examples[indices[s]!]!;
      if (metrics) predictions.push(metrics.predict(logits, example));
      scored.push(example);
    }
    done += indices.length;
    await options.onProgress?.(done, examples.length);
    await breathe();
  }
  const loss = sum / tokens;
  const seconds = (performance.now() - began) / 1000;
  return { loss, perplexity: Math.exp(loss), metrics: metrics?.score(predictions, scored) ?? {}, tokens, seconds };
}

/** The metrics of the model's task, or null. They are loaded only if there is something to measure. */
async function metricsOf({ task, labelNames, problemType }: Evaluable): Promise<Metrics<Prediction> | null> {
  const { taskDefinition } = await import("../data/known-tasks.ts");
  return (await taskDefinition(task).metrics?.({ labelNames: labelNames ?? [], problemType })) ?? null;
}

/** The sum of the losses of a batch, and the logits of each example if the task has metrics. */
function lossAndOutputs(
  model: Evaluable,
  bytes: number,
  { sequences }: MicroBatch,
): { loss: number; outputs: Float32Array[] } {
  return Tape.run(model.engine, bytes, {}, (tape) => {
    const measured = model.measure(tape, sequences);
    if (measured === null) return { loss: sumOf(tape, model.loss(tape, sequences)), outputs: [] };
    const loss = sumOf(tape, measured.losses);
    const all = tape.download(measured.outputs);
    const width = measured.outputs.shape[1]!;
    const outputs = Array.from({ length: sequences.starts.length - 1 }, (_, s) => {
      const [start, end] = measured.rows(s);
      return all.slice(start * width, end * width);
    });
    return { loss, outputs };
  });
}
