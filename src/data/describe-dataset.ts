/** What a dataset has in it, for people to check before a run. */
import type { Task } from "../core/task.ts";
import { classCounts } from "./classes.ts";
import { countLabels, type Example } from "./examples.ts";
import { taskDefinition } from "./known-tasks.ts";

export interface DatasetDescription {
  readonly examples: number;
  /** Tokens of an example: the fewest, the middle one, the most, and of all examples together. All 0 for images. */
  readonly tokens: { readonly min: number; readonly median: number; readonly max: number; readonly total: number };
  /** Examples that a length limit cut. */
  readonly cut: number;
  /** Tokens that are learned, of all; null where labels are not of tokens. */
  readonly learned: number | null;
  /** Examples, or words, of each class that occurs; null for a task without classes, or where the labels are values. */
  readonly classes: ReadonlyMap<string, number> | null;
}

/** Counts of a dataset. `labelNames` are the model's. */
export function describeDataset(
  examples: readonly Example[],
  task: Task,
  labelNames: readonly string[] | null,
): DatasetDescription {
  const lengths = examples.map(({ inputIds }) => inputIds.length).sort((a, b) => a - b);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const { labelsAlign, classes } = taskDefinition(task);
  const hasClasses = classes !== undefined;
  const learned = examples.reduce((sum, { labels }) => sum + countLabels({ labels }, task), 0);
  return {
    examples: examples.length,
    tokens: { min: lengths[0] ?? 0, median: lengths[lengths.length >> 1] ?? 0, max: lengths.at(-1) ?? 0, total },
    cut: examples.filter(({ uncut }) => uncut !== undefined).length,
    learned: labelsAlign === "ids" ? learned : null,
    classes: hasClasses && labelNames !== null ? classCounts(examples, labelNames) : null,
  };
}
