/** How well a model predicts examples: the mean loss over all their label tokens. */
import { StateError } from "../core/errors.ts";
import { batchSchedule } from "../data/batches.ts";
import { breather } from "./breather.ts";
import { checkExamples, nameExample, type TrainingExample } from "./check-examples.ts";
import { lossOf, microBatch, plannedBytes, tokensOf } from "./micro-batch.ts";
import type { Trainable } from "./trainable.ts";

/** What is asked of a model here. */
export type Evaluable = Pick<Trainable, "engine" | "loss" | "countLabels" | "problemWith">;

/** How examples are taken together while evaluating, and who is told. */
export interface EvaluateOptions {
  /** Examples computed together, 8 by default. */
  readonly batchSize?: number;
  /** Tokens computed together at most, instead of a count of examples. */
  readonly tokensPerBatch?: number | null;
  /** Called after each batch with the examples done so far and in all. */
  readonly onProgress?: (done: number, all: number) => void;
  readonly signal?: AbortSignal;
}

/** How well a model predicts the labels of a data set. */
export interface Evaluation {
  /** Mean over all label tokens, in nats. */
  readonly loss: number;
  /** e to the loss. */
  readonly perplexity: number;
  /** Label tokens. */
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

/** Bytes of working memory that evaluating takes. */
export function evaluationBytes(
  model: Evaluable,
  examples: readonly TrainingExample[],
  options: EvaluateOptions,
): number {
  return plannedBytes(model, examples, batchesOf(examples, options), false);
}

/**
 * Loss and perplexity of `examples` in the file's order. Throws FormatError listing every example that does not fit the
 * model, StateError when a loss is not finite.
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

/** The same in `bytes` of working memory, for examples that were checked. */
export async function evaluateIn(
  bytes: number,
  model: Evaluable,
  examples: readonly TrainingExample[],
  options: EvaluateOptions,
): Promise<Evaluation> {
  const began = performance.now();
  const breathe = breather();
  let [sum, tokens, done] = [0, 0, 0];
  for (const indices of batchesOf(examples, options)) {
    options.signal?.throwIfAborted();
    const batch = microBatch(model, examples, indices);
    const loss = lossOf(model, bytes, batch);
    if (!Number.isFinite(loss)) {
      const named = indices.map((i) => nameExample(examples, i)).join(", ");
      throw new StateError(`evaluation: loss is ${loss}, expected a finite number (${named})`);
    }
    sum += loss;
    tokens += batch.labels;
    done += indices.length;
    options.onProgress?.(done, examples.length);
    await breathe();
  }
  const loss = sum / tokens;
  return { loss, perplexity: Math.exp(loss), tokens, seconds: (performance.now() - began) / 1000 };
}
