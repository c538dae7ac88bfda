/** The classes of datasets: how often each occurs, and which ones training lacks. */
import { FormatError } from "../core/errors.ts";
import { IGNORED } from "../core/labels.ts";
import { listProblems } from "../core/problems.ts";
import { didYouMean } from "../core/similar.ts";

/** An example as far as its classes go. */
interface Classified {
  readonly labels: Int32Array | Float32Array;
  readonly where?: string;
}

/** Examples, or words, of each class by its name; null where the labels are values. */
export function classCounts(
  examples: readonly Classified[],
  labelNames: readonly string[],
): ReadonlyMap<string, number> | null {
  const counts = new Array<number>(labelNames.length).fill(0);
  for (const { labels } of examples) {
    if (labels instanceof Float32Array && labels.some((value) => value !== 0 && value !== 1)) return null; // values
    for (const label of classesIn(labels)) if (label < counts.length) counts[label]!++;
  }
  return new Map(labelNames.map((name, i) => [name, counts[i]!]));
}

function classesIn(labels: Classified["labels"]): number[] {
  if (labels instanceof Int32Array) return Array.from(labels).filter((label) => label !== IGNORED);
  return Array.from(labels.keys()).filter((i) => labels[i] === 1);
}

/**
 * Throws FormatError that names each class of `valid` that no example of `train` has, with its rows and the names that are near:
 * such a class was not learned, and often it is a typo. No labels are classes without `labelNames`. `what` is how messages call the data to evaluate on.
 */
export function expectTrainedClasses(
  train: readonly Classified[],
  valid: readonly Classified[],
  labelNames: readonly string[] | null,
  what: string,
): void {
  if (labelNames === null) return;
  const trained = classCounts(train, labelNames);
  if (trained === null || classCounts(valid, labelNames) === null) return;
  const places = new Map<string, string[]>();
  for (const [i, { labels, where = `example ${i}` }] of valid.entries()) {
    for (const name of new Set(classesIn(labels).map((label) => labelNames[label]!))) {
      if (trained.get(name) === 0) places.set(name, [...(places.get(name) ?? []), where]);
    }
  }
  if (places.size === 0) return;
  const known = labelNames.filter((name) => trained.get(name)! > 0);
  const problems = Array.from(places, ([name, rows]) => `class "${name}" in ${shown(rows)}.${didYouMean(name, known)}`);
  const summary = `${what} has classes that the training data lacks`;
  throw new FormatError(
    `${listProblems(summary, problems)}\nCorrect these rows, take them out, or add rows of the class to the training data.`,
  );
}

const SHOWN = 3;

function shown(rows: readonly string[]): string {
  const more = rows.length > SHOWN ? ` and ${rows.length - SHOWN} more` : "";
  return `${rows.slice(0, SHOWN).join(", ")}${more}`;
}
