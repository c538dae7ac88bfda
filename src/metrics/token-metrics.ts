/** Metrics of token classification. */
import { IGNORED } from "../core/labels.ts";
import { argmax } from "../core/scores.ts";
import { classScores } from "./classification.ts";
import type { Metrics, MetricsOptions, Prediction, Scored } from "./metrics.ts";
import { marksSpans, spanScores } from "./spans.ts";

/** Only tokens with a label count: the first of each word. Outputs are [T · C]. */
export function tokenMetrics({ labelNames }: MetricsOptions): Metrics<Prediction> {
  const classes = labelNames.length;
  const metrics: Metrics<Int32Array> = {
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
  return metrics as Metrics<Prediction>;
}
