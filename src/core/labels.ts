/** Labels, independent of the task. */

/** The label that the loss ignores, as in transformers. */
export const IGNORED = -100;

/** The number of labels that are not ignored, from position `first` on. */
export function countLabelled(labels: ArrayLike<number>, first = 0): number {
  let count = 0;
  for (let at = first; at < labels.length; at++) if (labels[at] !== IGNORED) count++;
  return count;
}

/** The meaning of a classifier's outputs, under the names that transformers uses. */
export const problemTypes = ["single_label_classification", "multi_label_classification", "regression"] as const;
/** The meaning of a classifier's outputs, as transformers names it. */
export type ProblemType = (typeof problemTypes)[number];

/** Default class names, the same as in transformers. */
export function numberedLabels(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `LABEL_${i}`);
}
