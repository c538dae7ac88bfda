/** What labels are, whatever the task. */

/** The label that counts for nothing, as in transformers. */
export const IGNORED = -100;

/** How many labels count, from position `first` on. */
export function countLabelled(labels: ArrayLike<number>, first = 0): number {
  let count = 0;
  for (let at = first; at < labels.length; at++) if (labels[at] !== IGNORED) count++;
  return count;
}

/** What the outputs of a classifier mean, by the names of transformers. */
export type ProblemType = "single_label_classification" | "multi_label_classification" | "regression";

/** The names of classes that have none, as transformers gives them. */
export function numberedLabels(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `LABEL_${i}`);
}
