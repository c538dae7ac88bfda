/** Outputs as scores, and the best of them. */
import { numberedLabels } from "../core/labels.ts";
import { softmax } from "../core/scores.ts";
import type { Model } from "../nn/tasks/model.ts";
import type { Classification, ClassificationOptions } from "./results.ts";

/** The names of a model's outputs. */
export function namesOf(base: Model, count: number): readonly string[] {
  return base.labelNames ?? numberedLabels(count);
}

/**
 * The classes with their scores, best first. Without a function to apply: probabilities of one class, of each class for several or for
 * a single output, and the outputs themselves for regression where a config says so.
 */
export function rankedClasses(
  base: Model,
  logits: Float32Array,
  { topK, functionToApply: asked = null }: ClassificationOptions,
  regresses: boolean,
): Classification[] {
  const { problem_type: problem } = base.config;
  const isSeveral = problem === "multi_label_classification" || logits.length === 1;
  const apply = asked ?? (regresses && problem === "regression" ? "none" : isSeveral ? "sigmoid" : "softmax");
  const scores =
    apply === "softmax"
      ? Array.from(softmax(logits))
      : Array.from(logits, (x) => (apply === "sigmoid" ? 1 / (1 + Math.exp(-x)) : x));
  const names = namesOf(base, logits.length);
  const all = scores.map((score, i) => ({ label: names[i]!, score })).sort((a, b) => b.score - a.score);
  return topK === null || topK === undefined ? all : all.slice(0, topK);
}
