/** Token sequences laid end to end: a batch has no padding anywhere. */
import { FormatError, ShapeError } from "../core/errors.ts";

/** `ids` [T] of all sequences; sequence s is ids[starts[s]] to ids[starts[s + 1]] (exclusive). */
export interface Sequences {
  readonly ids: Int32Array;
  readonly starts: Int32Array;
}

/** Labels aligned with ids, as in transformers: position t is predicted from the positions before it; −100 is no label. */
export interface LabelledSequences extends Sequences {
  readonly labels: Int32Array;
}

/** The label that counts for nothing. */
export const IGNORED = -100;

/** Lays sequences of ids end to end: a batch as the models take it. */
export function concatenate(sequences: readonly ArrayLike<number>[]): Sequences {
  const starts = new Int32Array(sequences.length + 1);
  sequences.forEach((s, i) => {
    starts[i + 1] = starts[i]! + s.length;
  });
  return { ids: join(sequences), starts };
}

/** Sequences with a label for each id. */
export function concatenateLabelled(
  examples: readonly { inputIds: ArrayLike<number>; labels: ArrayLike<number> }[],
): LabelledSequences {
  examples.forEach(({ inputIds, labels }, i) => {
    if (inputIds.length === labels.length) return;
    throw new ShapeError(`sequence ${i}: ${labels.length} labels for ${inputIds.length} ids, expected one each`);
  });
  return { ...concatenate(examples.map((e) => e.inputIds)), labels: join(examples.map((e) => e.labels)) };
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

/** Which rows of the hidden states predict something, and what: the shift by one, inside each sequence. */
export function targetsOf({ labels, starts }: LabelledSequences): { rows: Int32Array; targets: Int32Array } {
  const rows: number[] = [];
  const targets: number[] = [];
  for (let s = 0; s + 1 < starts.length; s++) {
    for (let t = starts[s]! + 1; t < starts[s + 1]!; t++) {
      if (labels[t] === IGNORED) continue;
      rows.push(t - 1);
      targets.push(labels[t]!);
    }
  }
  return { rows: Int32Array.from(rows), targets: Int32Array.from(targets) };
}

/** Throws a FormatError unless every id is in the vocabulary. */
export function expectIds(what: string, ids: Int32Array, vocabulary: number): void {
  const at = ids.findIndex((id) => id < 0 || id >= vocabulary);
  if (at < 0) return;
  throw new FormatError(
    `${what}: id ${ids[at]} at position ${at} should be from 0 to ${vocabulary - 1}, the model's vocabulary`,
  );
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
