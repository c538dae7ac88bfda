/** What tasks share that say something of a whole sequence: a class, several, or values. */
import { softmax } from "../../core/scores.ts";
import type { Model } from "../../nn/tasks/model.ts";
import type { Presenting } from "./define-task.ts";
import type { Example } from "./example.ts";

/** The label of an example is one, however many numbers it has. */
export function countOne(labels: ArrayLike<number>): number {
  return labels.length === 0 ? 0 : 1;
}

/** As many labels as an example for the model has. */
export function longestLabels(model: Model): Example["labels"] {
  if (model.problemType === "single_label_classification") return new Int32Array(1);
  return new Float32Array(model.countLabels({ inputIds: [], labels: [] }));
}

/** The class with the probabilities of all, the classes that hold, or the values. */
export async function presentLabels({ outputs, labelNames, problemType }: Presenting) {
  const { sequenceMetrics } = await import("../../metrics/sequence-metrics.ts");
  const { predict } = sequenceMetrics({ labelNames, problemType });
  return (example: Example) => {
    const values = outputs(example);
    const found = predict(values, example);
    if (problemType === "regression") return { values: Array.from(values) };
    if (problemType === "multi_label_classification")
      return {
        labels: labelNames.filter((_, i) => (found as Int32Array)[i] === 1),
        probabilities: Array.from(values, (x) => 1 / (1 + Math.exp(-x))),
      };
    return { label: labelNames[found as number], probabilities: Array.from(softmax(values)) };
  };
}
