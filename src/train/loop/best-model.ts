/** Which evaluation of a run is the best one. */
import { FormatError } from "../../core/errors.ts";
import type { Spell } from "../../core/options.ts";
import type { Settings } from "../arguments.ts";
import type { Evaluation } from "../evaluation/evaluate.ts";

type Choice = Pick<Settings, "metricForBestModel" | "greaterIsBetter">;

/** The metric that ranks evaluations, as reports have it without `eval_`. */
export function bestMetricName({ metricForBestModel }: Choice): string {
  return (metricForBestModel ?? "loss").replace(/^eval_/, "");
}

/** Metrics of which a smaller value is better, if nothing is said. */
const ERRORS = /(^|_)(loss|perplexity|mse|rmse|mae|error|wer|cer)$/;

/** Whether a larger value of the metric is better. */
export function greaterIsBetter(choice: Choice): boolean {
  return choice.greaterIsBetter ?? !ERRORS.test(bestMetricName(choice));
}

/** Whether a value beats the best one so far. NaN, as of a correlation of constants, never does. */
export function isBetter(value: number, best: number | null, choice: Choice): boolean {
  if (Number.isNaN(value)) return false;
  if (best === null) return true;
  return greaterIsBetter(choice) ? value > best : value < best;
}

/** The value that ranks an evaluation. Throws FormatError that lists the metrics there are. */
export function rankOf({ loss, perplexity, metrics }: Evaluation, choice: Choice, spell: Spell): number {
  const all: Record<string, number> = { loss, perplexity, ...metrics };
  expectMetric(Object.keys(all), choice, spell);
  return all[bestMetricName(choice)]!;
}

/** Throws FormatError unless the metric is one of these. */
export function expectMetric(names: readonly string[], choice: Choice, spell: Spell): void {
  if (names.includes(bestMetricName(choice))) return;
  throw new FormatError(
    `${spell("metricForBestModel")} is "${choice.metricForBestModel}", but evaluations have ${names.join(", ")}: choose one of these, or compute it in computeMetrics`,
  );
}
