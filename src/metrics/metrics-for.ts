/**
 * The metrics of a task. `predict` makes of the model's outputs for one example what is worth keeping; `score` compares
 * all of these with the examples' labels.
 */
import type { Task } from "../core/task.ts";
import { answerScores, bestSpan } from "./answers.ts";
import { argmax, classScores, multiLabelScores } from "./classification.ts";
import { regressionScores } from "./regression.ts";
import { marksSpans, spanScores } from "./spans.ts";

/** What is asked of an example here. */
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
  /**
   * `logits` by task: SEQ_CLS and IMAGE_CLS [C], TOKEN_CLS [T · C], QUESTION_ANS [T · 2], each token's scores as first
   * and as last of the answer.
   */
  readonly predict: (logits: Float32Array, example: Scored) => P;
  /** Metrics by name. */
  readonly score: (predictions: readonly P[], examples: readonly Scored[]) => Record<string, number>;
  /** The metric that tells the better of two models, and larger is better unless it is "mse". */
  readonly main: string;
}

export interface MetricsOptions {
  /** The classes, in the order of their numbers. */
  readonly labelNames: readonly string[];
  readonly problemType?: "regression" | "single_label_classification" | "multi_label_classification" | null;
}

export type Prediction = number | Int32Array | Float32Array | string;

/** e to the mean loss per token. */
export function perplexity(loss: number): number {
  return Math.exp(loss);
}

/**
 * The metrics of a task, or null for those that have the loss alone (CAUSAL_LM, SEQ_2_SEQ_LM, FEATURE_EXTRACTION).
 *
 * @example
 * const metrics = metricsFor("SEQ_CLS", { labelNames })!;
 * const { accuracy } = metrics.score(examples.map((e, i) => metrics.predict(logits[i], e)), examples);
 */
export function metricsFor(task: Task, options: MetricsOptions): Metrics<Prediction> | null {
  switch (task) {
    case "SEQ_CLS":
    case "IMAGE_CLS":
      if (options.problemType === "regression") return valueMetrics as Metrics<Prediction>;
      if (options.problemType === "multi_label_classification") return multiLabelMetrics as Metrics<Prediction>;
      return classMetrics(options.labelNames.length) as Metrics<Prediction>;
    case "TOKEN_CLS":
      return tokenMetrics(options.labelNames) as Metrics<Prediction>;
    case "QUESTION_ANS":
      return answerMetrics as Metrics<Prediction>;
    default:
      return null;
  }
}

function classMetrics(classes: number): Metrics<number> {
  return {
    main: "accuracy",
    predict: argmax,
    score: (predictions, examples) =>
      classScores(
        predictions,
        examples.map(({ labels }) => labels[0]!),
        classes,
      ),
  };
}

const valueMetrics: Metrics<Float32Array> = {
  main: "mse",
  predict: (logits) => logits.slice(),
  score: (predictions, examples) =>
    regressionScores(
      predictions,
      examples.map(({ labels }) => labels),
    ),
};

/** A class counts as told when its logit is above 0: its probability above one half. */
const multiLabelMetrics: Metrics<Int32Array> = {
  main: "f1_micro",
  predict: (logits) => Int32Array.from(logits, (value) => Number(value > 0)),
  score: (predictions, examples) =>
    multiLabelScores(
      predictions,
      examples.map(({ labels }) => labels),
    ),
};

const IGNORED = -100;

/** Only tokens with a label count: the first of each word. */
function tokenMetrics(labelNames: readonly string[]): Metrics<Int32Array> {
  const classes = labelNames.length;
  return {
    main: marksSpans(labelNames) ? "f1" : "accuracy",
    predict: (logits) =>
      Int32Array.from({ length: logits.length / classes }, (_, t) =>
        argmax(logits.subarray(t * classes, (t + 1) * classes)),
      ),
    score(predictions, examples) {
      const counted = ({ labels }: Scored) =>
        Array.from(labels, (label, t) => (label === IGNORED ? -1 : t)).filter((t) => t >= 0);
      const found = examples.map((example, i) => counted(example).map((t) => predictions[i]![t]!));
      const wanted = examples.map((example) => counted(example).map((t) => example.labels[t]!));
      const { accuracy } = classScores(found.flat(), wanted.flat(), classes);
      if (!marksSpans(labelNames)) return { accuracy: accuracy! };
      const named = (rows: number[][]) => rows.map((row) => row.map((label) => labelNames[label]!));
      return { accuracy: accuracy!, ...spanScores(named(found), named(wanted)) };
    },
  };
}

/** An answer's words are those of the context, as they stand there. */
const answerMetrics: Metrics<string> = {
  main: "f1",
  predict(logits, { answer }) {
    if (answer === undefined) return "";
    const [first, last] = bestSpan(logits, answer.offsets);
    return answer.context.slice(answer.offsets[first]?.[0] ?? 0, answer.offsets[last]?.[1] ?? 0);
  },
  score: (predictions, examples) =>
    answerScores(
      predictions,
      examples.map(({ answer }) => answer?.texts ?? []),
    ),
};
