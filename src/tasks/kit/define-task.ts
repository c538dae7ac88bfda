/**
 * What a task is: the head it needs, the rows it takes and how they become numbers, what is measured, and how an answer is shown.
 * One file in src/tasks/ defines one task; reading files, batches, training and the command line are the same for all.
 *
 * Every file is loaded with the package. What is large, the model's class and the metrics, it imports on demand.
 */
import type { ProblemType } from "../../core/labels.ts";
import type { Metrics, MetricsOptions, Prediction } from "../../metrics/metrics.ts";
import type { Model, ModelParts } from "../../nn/tasks/model.ts";
import type { TaskTraits } from "../../nn/tasks/task-traits.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { RowKind, RowOf } from "./define-row.ts";
import type { EncodeContext, Example } from "./example.ts";

/** A model with its head and its loss, made of the parts that an architecture gives. */
export type TaskModelClass<M extends Model> = new (parts: ModelParts<never>) => M;

/** What a task's answers are made from. */
export interface Presenting {
  /** The model, with or without adapters. */
  readonly model: Model | { readonly base: Model };
  /** The outputs of the model for one example, row by row. */
  outputs(example: Example): Float32Array;
  /** The tokenizer of the model. */
  tokenizer(): Promise<Tokenizer>;
  /** The most tokens to write. */
  readonly maxNewTokens: number;
  readonly labelNames: readonly string[];
  readonly problemType: ProblemType | null;
}

/** The lengths of an example that takes the most memory. */
export interface LongestOptions {
  /** Tokens. */
  readonly length: number;
  /** Tokens of a target, where the task has one. */
  readonly targetLength: number;
}

export interface TaskDefinition<K extends RowKind = RowKind, M extends Model = Model> extends TaskTraits {
  /** The kind of head that a model builds for it: a key of `heads` in src/models/. */
  readonly head: string;
  /** Whether it shares its head with another task, so that no architecture stands for it: users must name it. */
  readonly namedOnly?: true;
  /** The class that users load such a model by. */
  readonly auto: string;
  model(): Promise<TaskModelClass<M>>;
  /** The kinds of rows it takes. */
  readonly rows: readonly K[];
  /** Rows that it learns from, for messages. */
  readonly needs: string;
  /** Whether a row says that it is meant for this task. */
  suggestedBy?(row: RowOf<K>): boolean;
  /** What the labels of rows are classes of; left out where they are none. A text may have several, or a value instead. */
  readonly classes?: "one" | "any problem type";
  /** The examples of a row, what is wrong with it, or null for a row of another task. */
  encode(row: RowOf<K>, context: EncodeContext): Example | Example[] | string | null;
  /**
   * What the model is to continue, of a row that may have the continuation; like `encode`. Where a task has it, `present` is given
   * such examples.
   */
  prompt?(row: RowOf<K>, context: EncodeContext): Promise<Example | string | null>;
  /** How many of an example's labels count; left out where nothing is learned. */
  countLabels?(labels: ArrayLike<number>): number;
  /** What a label belongs to, if not to the whole row: each of the input's ids, or each id of a target. */
  readonly labelsAlign?: "ids" | "target";
  /** Whether labels are ids of the vocabulary. */
  readonly labelsAreTokens?: boolean;
  /** An example of the longest kind with all the labels that it can have: for planning memory. */
  longest(model: Model, options: LongestOptions): Example;
  /** What is measured besides the loss. */
  metrics?(options: MetricsOptions): Promise<Metrics<Prediction>>;
  /** Converts an example to the answer shown to users, as JSON; the outputs by default. */
  present?(context: Presenting): Promise<(example: Example) => unknown>;
}

/** Checks a task's definition and gives it back. */
export function defineTask<K extends RowKind, M extends Model>(definition: TaskDefinition<K, M>): TaskDefinition<K, M> {
  return definition;
}
