/** Metrics of answers that are spans of a context. */
import { answerScores, bestSpan } from "./answers.ts";
import type { Metrics, Prediction } from "./metrics.ts";

/**
 * An answer consists of words of the context, unchanged. Outputs are [T · 2]: each token's scores as first and as last
 * token.
 */
export function answerMetrics(): Metrics<Prediction> {
  return metrics as Metrics<Prediction>;
}

const metrics: Metrics<string> = {
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
