/** What a dataset has in it, for people to check before a run. */
import { IGNORED } from "../core/labels.ts";
import type { Task } from "../core/task.ts";
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
  const { labelsAlign } = taskDefinition(task);
  const learned = examples.reduce((sum, { labels }) => sum + countLabels({ labels }, task), 0);
  return {
    examples: examples.length,
    tokens: { min: lengths[0] ?? 0, median: lengths[lengths.length >> 1] ?? 0, max: lengths.at(-1) ?? 0, total },
    cut: examples.filter(({ uncut }) => uncut !== undefined).length,
    learned: labelsAlign === "ids" ? learned : null,
    classes: classCounts(examples, task, labelNames),
  };
}

function classCounts(
  examples: readonly Example[],
  task: Task,
  labelNames: readonly string[] | null,
): Map<string, number> | null {
  if (taskDefinition(task).classes === undefined || labelNames === null) return null;
  const counts = new Array<number>(labelNames.length).fill(0);
  for (const { labels } of examples) {
    if (labels instanceof Float32Array) {
      if (labels.some((value) => value !== 0 && value !== 1)) return null; // values
      labels.forEach((value, i) => {
        counts[i]! += value;
      });
    } else for (const label of labels) if (label !== IGNORED) counts[label]!++;
  }
  return new Map(labelNames.map((name, i) => [name, counts[i]!]));
}
