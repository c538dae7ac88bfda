/** Problems of examples, independent of the task, as text for the errors that list them. */
import { IGNORED } from "../../core/labels.ts";
import { shownValue } from "../../core/whole-numbers.ts";
import type { InputKind } from "./inputs.ts";
import type { Labelled } from "./sequences.ts";

interface Counting {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly inputKinds: readonly InputKind[];
  countLabels(example: Labelled): number;
}

/** The problem with the ids, or with labels that are class indexes below `classes`, or null. */
export function tokenProblem(example: Labelled, model: Counting, classes: number): string | null {
  const problem = inputProblem(example, model) ?? labelProblem(example.labels, classes, model);
  if (problem !== null) return problem;
  return model.countLabels(example) === 0 ? "nothing to learn: no token after the first has a label" : null;
}

/** The problem with the ids of an example or with its other inputs, or null. */
export function inputProblem({ inputIds, inputs }: Labelled, model: Omit<Counting, "countLabels">): string | null {
  const { vocabSize, contextLength, inputKinds } = model;
  let inTheirPlace = false;
  for (const kind of inputKinds) {
    const values = inputs?.find((input) => input.kind === kind.kind)?.values;
    const problem = kind.problem(values, inputIds.length);
    if (problem !== null) return problem;
    if (kind.rows(values!) !== null) inTheirPlace = true;
  }
  const other = inputs?.find(({ kind }) => !inputKinds.some((known) => known.kind === kind));
  if (other) return `"${other.kind}" is given, but the model does not accept it`;
  if (inTheirPlace) return null;
  if (inputIds.length === 0) return "no tokens, expected at least one";
  if (inputIds.length > contextLength) return `${inputIds.length} tokens, but the model's context is ${contextLength}`;
  const at = firstOutside(inputIds, vocabSize);
  return at < 0 ? null : `token ${shownValue(inputIds[at])} must be from 0 to ${vocabSize - 1}, the model's vocabulary`;
}

/** Where the first value is that is no whole number from 0 to `count` − 1 and not `ignored`, or -1. */
function firstOutside(values: ArrayLike<number>, count: number, ignored?: number): number {
  return Array.prototype.findIndex.call(
    values,
    (each) => each !== ignored && !(Number.isInteger(each) && each >= 0 && each < count),
  );
}

/** A description of a label outside 0 to `classes` − 1 that is not ignored, or null. */
function labelProblem(labels: Labelled["labels"], classes: number, { vocabSize }: Counting): string | null {
  const at = firstOutside(labels, classes, IGNORED);
  if (at < 0) return null;
  const label = shownValue(labels[at]);
  return classes === vocabSize
    ? `token ${label} must be from 0 to ${classes - 1}, the model's vocabulary`
    : `label ${label} must be from 0 to ${classes - 1}, the model's classes`;
}
