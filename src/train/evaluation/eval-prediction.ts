/** What own metrics are computed from. */
import type { TrainingExample } from "../check-examples.ts";

/** Numbers of one sequence. */
export type Numbers = Float32Array | Int32Array;

/** The predictions of an evaluation, one entry for each sequence in the order of the data. */
export interface EvalPrediction<E extends TrainingExample = TrainingExample> {
  /**
   * The model's outputs, row by row: [labels] of a classifier, [tokens · labels] of one that labels tokens, [tokens · vocabulary] of a
   * language model, [tokens · 2] of answers; or what `preprocessLogitsForMetrics` made of them.
   */
  readonly predictions: readonly Numbers[];
  /** The labels of each sequence; −100 is no label. */
  readonly labelIds: readonly Numbers[];
  /** Numbers in a row of the outputs. */
  readonly columns: number;
  readonly examples: readonly E[];
}

/** Own metrics by name; reports have them with the prefix `eval_`. */
export type ComputeMetrics<E extends TrainingExample = TrainingExample> = (
  prediction: EvalPrediction<E>,
) => Readonly<Record<string, number>> | Promise<Readonly<Record<string, number>>>;

/** Makes the outputs of one sequence smaller as soon as they are computed: the best token of each row, for instance. */
export type PreprocessLogits = (logits: Float32Array, labels: Numbers, columns: number) => Numbers;
