/**
 * What an example's label may be, and how it becomes numbers. A label is a class (its name or number), several classes
 * (a list of names, or a 0 or 1 for each class), or a value or values to be met (regression).
 */
import { expectArgument } from "../../core/call-options.ts";
import { compareCodePoints } from "../../core/code-points.ts";
import { FormatError } from "../../core/errors.ts";
import { IGNORED, numberedLabels, type ProblemType, problemTypes } from "../../core/labels.ts";
import { didYouMean } from "../../core/similar.ts";
import type { Label } from "./define-row.ts";

/** A row as far as its labels go: its own, or one for each word. */
interface LabelledRow {
  readonly kind: string;
  readonly label?: Label;
  readonly words?: readonly string[];
  readonly labels?: readonly (string | number)[] | null;
}

const LISTED = 12;

/** The problem that the labels of `rows` pose: lists are several classes, fractions are values, all else is one class. */
export function problemTypeOf(rows: readonly LabelledRow[]): ProblemType {
  const labels = labelsOf(rows);
  const numbers = labels.flat().filter((value) => typeof value === "number");
  const fractions = numbers.some((value) => !Number.isInteger(value));
  if (fractions) return "regression";
  return labels.some((label) => Array.isArray(label)) ? "multi_label_classification" : "single_label_classification";
}

/**
 * The classes that `rows` have labels of, in the order of their numbers: names sorted by code points, or LABEL_0,
 * LABEL_1, ... up to the highest number (for regression one for each value). Null when no row has a label of a class.
 * Throws FormatError when some labels are names and others are numbers.
 *
 * @example
 * const labelNames = labelNamesOf(rows); // ["negative", "positive"]
 */
export function labelNamesOf(rows: readonly LabelledRow[], problemType?: ProblemType | null): string[] | null {
  expectArgument("labelNamesOf", "the first argument", rows, Array.isArray(rows), "rows as readRows gives them");
  const known = [null, undefined, ...problemTypes].includes(problemType);
  expectArgument("labelNamesOf", "the problem type", problemType, known, `one of ${problemTypes.join(", ")}`);
  const problem = problemType ?? problemTypeOf(rows);
  const labels = labelsOf(rows);
  if (labels.length === 0) return null;
  const values = labels.flat();
  const names = new Set(values.filter((value) => typeof value === "string"));
  if (names.size > 0) {
    const number = values.find((value) => typeof value === "number" && value !== IGNORED);
    if (number === undefined) return [...names].sort(compareCodePoints);
    throw new FormatError(`some labels are names ("${[...names][0]}") and others numbers (${number}): use one of them`);
  }
  const longest = labels.reduce<number>((most, label) => Math.max(most, Array.isArray(label) ? label.length : 1), 1);
  const highest = values.reduce<number>((most, value) => Math.max(most, Number(value)), 0);
  const asList = problem !== "single_label_classification" && !rows.some(({ words }) => words !== undefined);
  return numberedLabels(asList ? longest : Math.floor(highest) + 1);
}

/** Every label of the rows; of words, each word's. */
function labelsOf(rows: readonly LabelledRow[]): Label[] {
  return rows.flatMap(({ words, labels, label }): readonly Label[] => {
    if (words !== undefined) return labels ?? [];
    return label === undefined ? [] : [label];
  });
}

/** The number of a class, or what is wrong with it. */
export function classOf(label: string | number, labelNames: readonly string[]): number | string {
  if (typeof label === "string") {
    const found = labelNames.indexOf(label);
    return found >= 0
      ? found
      : `label "${label}" is not known.${didYouMean(label, labelNames)} The labels are ${listed(labelNames)}`;
  }
  const known = Number.isInteger(label) && label >= 0 && label < labelNames.length;
  return known
    ? label
    : `label ${label} should be a whole number from 0 to ${labelNames.length - 1}: the labels are ${listed(labelNames)}`;
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, LISTED).map((name) => `"${name}"`);
  const more = names.length > LISTED ? ` and ${names.length - LISTED} more` : "";
  return `${shown.join(", ")}${more}`;
}

/** A row's label as its example has it: [class], or Float32Array [classes] of zeros and ones, or of values. */
export function encodeLabel(
  label: Label,
  labelNames: readonly string[],
  problemType: ProblemType,
): Int32Array | Float32Array | string {
  if (problemType === "regression") return encodeValues(label, labelNames.length);
  if (problemType === "multi_label_classification") return encodeClasses(label, labelNames);
  if (Array.isArray(label)) return "label is a list, but each text has one class here (single_label_classification)";
  const found = classOf(label as string | number, labelNames);
  return typeof found === "string" ? found : Int32Array.of(found);
}

function encodeValues(label: Label, count: number): Float32Array | string {
  const values = [label].flat();
  const name = values.find((value) => typeof value === "string");
  if (name !== undefined) return `label "${name}" should be a number (regression)`;
  if (values.length !== count) return `label has ${values.length} values, the model gives ${count}`;
  return Float32Array.from(values as number[]);
}

function encodeClasses(label: Label, labelNames: readonly string[]): Float32Array | string {
  const marks = Array.isArray(label) && label.length > 0 && label.every((value) => value === 0 || value === 1);
  if (marks) {
    if (label.length === labelNames.length) return Float32Array.from(label as number[]);
    return `label has ${label.length} zeros and ones, but there are ${labelNames.length} classes: ${listed(labelNames)}`;
  }
  const found = new Float32Array(labelNames.length);
  for (const name of [label].flat() as (string | number)[]) {
    const at = classOf(name, labelNames);
    if (typeof at === "string") return at;
    found[at] = 1;
  }
  return found;
}
