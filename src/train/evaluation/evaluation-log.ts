/** An evaluation as reports have it, with transformers' keys. */

import type { LogEntry } from "../run/progress.ts";
import type { RunEvaluation } from "./run-evaluation.ts";

/** `eval_loss`, `eval_accuracy`, and so on, with another prefix if one is given; `perplexity` of language models. */
export function evaluationLog(
  { loss, perplexity, metrics, seconds, isText }: RunEvaluation,
  examples: number,
  prefix = "eval",
): LogEntry {
  const withPrefix = (name: string) => (name.startsWith(`${prefix}_`) ? name : `${prefix}_${name}`);
  const named = Object.entries(metrics).map(([name, value]) => [withPrefix(name), value]);
  return {
    [`${prefix}_loss`]: loss,
    ...(isText && { [prefix === "eval" ? "perplexity" : `${prefix}_perplexity`]: perplexity }),
    ...Object.fromEntries(named),
    [`${prefix}_runtime`]: seconds,
    [`${prefix}_samples_per_second`]: examples / seconds,
  };
}
