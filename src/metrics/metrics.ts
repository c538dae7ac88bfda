/**
 * The metrics of a task. `predict` converts the model's outputs for one example to a prediction; `score` compares all
 * predictions with the examples' labels.
 */
import type { ProblemType } from "../core/labels.ts";

/** What metrics need from an example. */
export interface Scored {
  readonly labels: ArrayLike<number>;
  readonly answer?: {
    readonly context: string;
    readonly offsets: readonly (readonly [number, number] | null)[];
    readonly texts: readonly string[];
  };
}

/** One task's metrics. `P` is a prediction: a class, several numbers, or a text. */
export interface Metrics<P> {
  /** `logits` are the outputs of one example, row by row. */
  predict(logits: Float32Array, example: Scored): P;
  /** Metrics by name. */
  score(predictions: readonly P[], examples: readonly Scored[]): Record<string, number>;
  /** The metric that ranks models; larger is better unless it is "mse". */
  readonly main: string;
}

export interface MetricsOptions {
  /** The classes, in the order of their numbers. */
  readonly labelNames: readonly string[];
  readonly problemType?: ProblemType | null;
}

export type Prediction = number | Int32Array | Float32Array | string;

/** e to the power of the mean loss per token. */
export function perplexity(loss: number): number {
  return Math.exp(loss);
}
