/** Metrics of predictions for whole sequences: a class, several classes, or values. */
import { argmax } from "../core/scores.ts";
import { classScores, multiLabelScores } from "./classification.ts";
import type { Metrics, MetricsOptions, Prediction } from "./metrics.ts";
import { regressionScores } from "./regression.ts";

/**
 * The metrics for the meaning of the outputs [C].
 *
 * @example
 * const metrics = sequenceMetrics({ labelNames });
 * const { accuracy } = metrics.score(examples.map((e, i) => metrics.predict(logits[i]!, e)), examples);
 */
export function sequenceMetrics({ labelNames, problemType }: MetricsOptions): Metrics<Prediction> {
  if (problemType === "regression") return valueMetrics as Metrics<Prediction>;
  if (problemType === "multi_label_classification") return multiLabelMetrics as Metrics<Prediction>;
  return classMetrics(labelNames.length) as Metrics<Prediction>;
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

/** A class is predicted if its logit is above 0, so its probability is above one half. */
const multiLabelMetrics: Metrics<Int32Array> = {
  main: "f1_micro",
  predict: (logits) => Int32Array.from(logits, (value) => Number(value > 0)),
  score: (predictions, examples) =>
    multiLabelScores(
      predictions,
      examples.map(({ labels }) => labels),
    ),
};
