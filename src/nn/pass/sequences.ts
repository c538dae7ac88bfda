/** Token sequences laid end to end: a batch has no padding anywhere. */
import { FormatError, ShapeError } from "../../core/errors.ts";
import { IGNORED } from "../../core/labels.ts";
import { type BatchInput, type Input, joinInputs } from "./inputs.ts";

/** `ids` [T] of all sequences; sequence s is ids[starts[s]] to ids[starts[s + 1]] (exclusive). */
export interface Sequences {
  readonly ids: Int32Array;
  readonly starts: Int32Array;
  /** BERT's segment of each id, 0 where left out. */
  readonly tokenTypes?: Int32Array;
  /** What is given besides ids or in their place, one of a kind at most. */
  readonly inputs?: readonly BatchInput[];
  /** Which task each sequence belongs to, for multitask prompts; 0 where left out. */
  readonly taskIds?: Int32Array;
}

/** Which sequence each row of some activations belongs to: rows [starts[s], starts[s + 1]) belong to sequence s. */
export interface SequenceRows {
  readonly starts: Int32Array;
}

/**
 * Sequences with their labels, of which sequence s has labels[labelStarts[s]] to labels[labelStarts[s + 1]]: what they say is
 * the task's. Labels aligned with ids are as in transformers: position t is predicted from the positions before it; −100 is none.
 */
export interface LabelledSequences extends Sequences {
  readonly labels: Int32Array | Float32Array;
  readonly labelStarts: Int32Array;
}

/** One sequence and its labels, before it is laid beside others. */
export interface Labelled {
  readonly inputIds: ArrayLike<number>;
  readonly labels: Int32Array | Float32Array | readonly number[];
  readonly tokenTypes?: ArrayLike<number>;
  readonly inputs?: readonly Input[];
  readonly taskId?: number;
}

/** Lays sequences of ids end to end: a batch as the models take it. */
export function concatenate(sequences: readonly ArrayLike<number>[]): Sequences {
  return { ids: join(sequences), starts: startsOf(sequences) };
}

/** Inputs of examples laid end to end, without their labels. */
export function concatenateInputs(examples: readonly Omit<Labelled, "labels">[]): Sequences {
  const { ids, starts } = concatenate(examples.map((e) => e.inputIds));
  return {
    ids,
    starts,
    ...(examples.some((e) => e.tokenTypes) && {
      tokenTypes: join(examples.map((e) => e.tokenTypes ?? new Int32Array(e.inputIds.length))),
    }),
    ...(examples.some((e) => e.inputs) && { inputs: joinInputs(examples.map((e) => e.inputs)) }),
    ...(examples.some((e) => e.taskId) && { taskIds: Int32Array.from(examples, (e) => e.taskId ?? 0) }),
  };
}

/** Sequences with their labels. */
export function concatenateLabelled(examples: readonly Labelled[]): LabelledSequences {
  const labels = examples.map((e) => e.labels);
  const floats = labels.some((each) => Array.prototype.some.call(each, (label) => !Number.isInteger(label)));
  return {
    ...concatenateInputs(examples),
    labels: floats ? Float32Array.from(labels.flatMap((each) => Array.from(each))) : join(labels),
    labelStarts: startsOf(labels),
  };
}

/** Takes the padding off a rectangular batch: rows of ids with a mask of ones (real) and zeros (padding). */
export function stripPadding(
  inputIds: readonly ArrayLike<number>[],
  attentionMask: readonly ArrayLike<number>[],
): Sequences {
  return concatenate(
    inputIds.map((row, i) => {
      const mask = attentionMask[i];
      if (mask?.length === row.length) return Array.from(row).filter((_, j) => mask[j] !== 0);
      throw new ShapeError(`attention mask of row ${i} has ${mask?.length ?? 0} entries, expected ${row.length}`);
    }),
  );
}

/**
 * Which rows of the hidden states predict the next id, and what: the shift by one, inside each sequence. `virtual` rows without
 * a label stand before each sequence. Throws ShapeError unless there is one label for each id.
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
  return { rows: Int32Array.from(rows), targets: Int32Array.from(targets) };
}

/** Throws a ShapeError unless each sequence has as many labels as ids. */
export function expectAligned(length: number, starts: Int32Array, labelStarts: Int32Array): void {
  for (let s = 0; s + 1 < starts.length; s++) {
    const [ids, labels] = [starts[s + 1]! - starts[s]!, labelStarts[s + 1]! - labelStarts[s]!];
    if (ids !== labels && length > 0)
      throw new ShapeError(`sequence ${s}: ${labels} labels for ${ids} ids, expected one each`);
  }
}

/** Throws a FormatError unless every id is from 0 to `count` − 1; `because` says where that comes from. */
export function expectIds(what: string, ids: Int32Array, count: number, because = "the model's vocabulary"): void {
  const at = ids.findIndex((id) => id < 0 || id >= count);
  if (at < 0) return;
  throw new FormatError(`${what}: id ${ids[at]} at position ${at} should be from 0 to ${count - 1}, ${because}`);
}

function startsOf(parts: readonly ArrayLike<number>[]): Int32Array {
  const starts = new Int32Array(parts.length + 1);
  parts.forEach((part, i) => {
    starts[i + 1] = starts[i]! + part.length;
  });
  return starts;
}

function join(parts: readonly ArrayLike<number>[]): Int32Array {
  const joined = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
