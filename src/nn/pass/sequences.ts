/** Concatenated token sequences: a batch has no padding. */
import { FormatError, ShapeError } from "../../core/errors.ts";
import { IGNORED } from "../../core/labels.ts";
import { copyWholeNumbers, lengthOf, shownValue, type WholeNumbers, wholeNumbers } from "../../core/whole-numbers.ts";
import { type BatchInput, type Input, joinInputs } from "./inputs.ts";

/** `ids` [T] of all sequences; sequence s is ids[starts[s]] to ids[starts[s + 1]] (exclusive). */
export interface Sequences {
  readonly ids: Int32Array;
  readonly starts: Int32Array;
  /** BERT's segment of each id, 0 if omitted. */
  readonly tokenTypes?: Int32Array;
  /** Inputs in addition to ids or instead of them, at most one per kind. */
  readonly inputs?: readonly BatchInput[];
  /** The task of each sequence, for multitask prompts; 0 if omitted. */
  readonly taskIds?: Int32Array;
}

/** The sequence that each activation row belongs to: rows [starts[s], starts[s + 1]) belong to sequence s. */
export interface SequenceRows {
  readonly starts: Int32Array;
}

/**
 * Sequences with their labels, of which sequence s has labels[labelStarts[s]] to labels[labelStarts[s + 1]]: the task
 * defines their meaning. Labels aligned with ids are as in transformers: position t is predicted from the positions
 * before it; −100 means no label.
 */
export interface LabelledSequences extends Sequences {
  readonly labels: Int32Array | Float32Array;
  readonly labelStarts: Int32Array;
}

/** One sequence and its labels, before batching. */
export interface Labelled {
  readonly inputIds: ArrayLike<number>;
  readonly labels: Int32Array | Float32Array | readonly number[];
  readonly tokenTypes?: ArrayLike<number>;
  readonly inputs?: readonly Input[];
  readonly taskId?: number;
}

/**
 * Concatenates sequences of ids to a batch for the models. Each is a list of whole numbers: plain, or a typed array of any
 * width. Throws FormatError for anything else.
 */
export function concatenate(sequences: readonly WholeNumbers[]): Sequences {
  return { starts: startsOf("input ids", sequences), ids: join("input ids", sequences) };
}

/** The concatenated inputs of examples, without their labels. */
export function concatenateInputs(examples: readonly Omit<Labelled, "labels">[]): Sequences {
  const { ids, starts } = concatenate(examples.map((e) => e.inputIds));
  return {
    ids,
    starts,
    ...(examples.some((e) => e.tokenTypes) && {
      tokenTypes: join(
        "token types",
        examples.map((e) => e.tokenTypes ?? new Int32Array(e.inputIds.length)),
      ),
    }),
    ...(examples.some((e) => e.inputs) && { inputs: joinInputs(examples.map((e) => e.inputs)) }),
    ...(examples.some((e) => e.taskId) && {
      taskIds: wholeNumbers(
        "task ids",
        examples.map((e) => e.taskId ?? 0),
      ),
    }),
  };
}

/** Sequences with their labels: whole numbers, or finite ones where any is a fraction. Throws FormatError for others. */
export function concatenateLabelled(examples: readonly Labelled[]): LabelledSequences {
  const labels = examples.map((e) => e.labels);
  const labelStarts = startsOf("labels", labels);
  const isFraction = (label: unknown) => Number.isFinite(label) && !Number.isInteger(label);
  const floats = labels.some((each) => !(each instanceof Int32Array) && Array.prototype.some.call(each, isFraction));
  return {
    ...concatenateInputs(examples),
    labels: floats
      ? Float32Array.from(labels.flatMap((each) => Array.from(each, finiteLabel)))
      : join("labels", labels),
    labelStarts,
  };
}

function finiteLabel(label: unknown, at: number): number {
  if (Number.isFinite(label)) return label as number;
  throw new FormatError(`labels: ${shownValue(label)} at position ${at}, expected a number`);
}

/** Removes the padding of a rectangular batch: rows of ids with a mask of ones (real) and zeros (padding). */
export function stripPadding(inputIds: readonly WholeNumbers[], attentionMask: readonly WholeNumbers[]): Sequences {
  return concatenate(
    inputIds.map((row, i) => {
      const what = `attention mask of row ${i}`;
      const mask = wholeNumbers(what, attentionMask[i] ?? []);
      const ids = wholeNumbers(`input ids of row ${i}`, row);
      if (mask.length !== ids.length)
        throw new ShapeError(`${what} has ${mask.length} entries, expected ${ids.length}`);
      const odd = mask.find((bit) => bit !== 0 && bit !== 1);
      if (odd !== undefined) throw new FormatError(`${what}: ${odd}, expected zeros and ones`);
      return ids.filter((_, j) => mask[j] === 1);
    }),
  );
}

/**
 * Which rows of the hidden states predict the next id, and what: the shift by one, inside each sequence. `virtual` rows
 * without a label come before each sequence. Throws ShapeError unless there is one label per id.
 */
export function targetsOf(
  { ids, labels, starts, labelStarts }: LabelledSequences,
  virtual: (sequence: number) => number = () => 0,
): { rows: Int32Array; targets: Int32Array } {
  expectAligned(ids.length, starts, labelStarts);
  const rows: number[] = [];
  const targets: number[] = [];
  let inserted = 0;
  for (let s = 0; s + 1 < starts.length; s++) {
    inserted += virtual(s);
    for (let t = starts[s]! + (virtual(s) > 0 ? 0 : 1); t < starts[s + 1]!; t++) {
      if (labels[t] === IGNORED) continue;
      rows.push(t - 1 + inserted);
      targets.push(labels[t]!);
    }
  }
  return { rows: Int32Array.from(rows), targets: wholeNumbers("labels", targets) };
}

/** Throws ShapeError unless each sequence has as many labels as ids. */
export function expectAligned(length: number, starts: Int32Array, labelStarts: Int32Array): void {
  for (let s = 0; s + 1 < starts.length; s++) {
    const [ids, labels] = [starts[s + 1]! - starts[s]!, labelStarts[s + 1]! - labelStarts[s]!];
    if (ids !== labels && length > 0)
      throw new ShapeError(`sequence ${s}: ${labels} labels for ${ids} ids, expected one per id`);
  }
}

/** Throws FormatError unless every id is from 0 to `count` − 1; `because` states the source of that limit. */
export function expectIds(what: string, ids: Int32Array, count: number, because = "the model's vocabulary"): void {
  const at = ids.findIndex((id) => id < 0 || id >= count);
  if (at < 0) return;
  throw new FormatError(`${what}: id ${ids[at]} at position ${at} must be from 0 to ${count - 1}, ${because}`);
}

/**
 * Throws FormatError or ShapeError unless the arrays of a batch are of 32-bit integers and cut its ids into sequences: views
 * of other types would be read as other numbers.
 */
export function expectSequences({ ids, starts, tokenTypes, taskIds, inputs }: Sequences): void {
  const arrays = { ids, starts, ...(tokenTypes && { tokenTypes }), ...(taskIds && { taskIds }) };
  for (const [name, array] of Object.entries(arrays)) {
    if (array instanceof Int32Array) continue;
    const found = Object.prototype.toString.call(array).slice("[object ".length, -1);
    throw new FormatError(
      `sequences: "${name}" has type ${found}, expected an Int32Array; concatenate makes them of lists`,
    );
  }
  const wrong = starts.findIndex((start, s) => (s === 0 ? start !== 0 : start < starts[s - 1]!));
  if (wrong >= 0 || starts.length < 2 || (starts.at(-1) !== ids.length && !inputs)) {
    throw new ShapeError(
      `sequences: "starts" is ${starts.length > 8 ? `${starts.subarray(0, 8)},...` : starts}, expected numbers that rise from 0 to ${ids.length}, the number of ids`,
    );
  }
  if (tokenTypes && tokenTypes.length !== ids.length)
    throw new ShapeError(`sequences: ${tokenTypes.length} token types for ${ids.length} ids, expected one per id`);
  if (taskIds && taskIds.length !== starts.length - 1)
    throw new ShapeError(`sequences: ${taskIds.length} task ids for ${starts.length - 1} sequences, expected one each`);
}

function startsOf(what: string, parts: readonly WholeNumbers[]): Int32Array {
  const starts = new Int32Array(parts.length + 1);
  for (let i = 0; i < parts.length; i++) starts[i + 1] = starts[i]! + lengthOf(what, parts[i]);
  return starts;
}

function join(what: string, parts: readonly WholeNumbers[]): Int32Array {
  const joined = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    copyWholeNumbers(what, part, joined, at);
    at += part.length;
  }
  return joined;
}
