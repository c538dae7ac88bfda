/**
 * What a model is given besides token ids or in their place: pixels, audio features, boxes beside tokens, latents. The union is
 * open: an input is numbers with the name of their kind, and a model states for each kind that it takes what they become.
 *
 * Numbers of several sequences lie end to end like tokens, so that the inputs of a batch may differ in size.
 */
import { FormatError } from "../../core/errors.ts";

/** Numbers of one sequence. */
export interface Input {
  /** Which of the kinds that a model takes, such as "pixels". */
  readonly kind: string;
  readonly values: Float32Array | Int32Array;
}

/** Numbers of a batch: sequence s has values[starts[s]] to values[starts[s + 1]]. */
export interface BatchInput extends Input {
  readonly starts: Int32Array;
}

/** A kind of input that a model takes. */
export interface InputKind {
  readonly kind: string;
  /** Axes of an input, for messages and for checking rows of data; null where one of them varies. */
  readonly shape: readonly number[] | null;
  /** How many rows of activations this input of one sequence becomes; null for inputs beside tokens, which have the tokens' rows. */
  rows(values: Input["values"]): number | null;
  /** What is wrong with the input of a sequence of so many tokens, undefined for none at all, or null. */
  problem(values: Input["values"] | undefined, tokens: number): string | null;
  /** The largest input of a sequence of so many tokens: for planning memory. */
  largest(tokens: number): Input["values"];
}

/** The inputs of several sequences as those of a batch. Sequences that lack a kind have no numbers of it. */
export function joinInputs(sequences: readonly (readonly Input[] | undefined)[]): BatchInput[] {
  const kinds = new Set(sequences.flatMap((inputs) => inputs?.map(({ kind }) => kind) ?? []));
  return Array.from(kinds, (kind) => {
    const parts = sequences.map((inputs) => inputs?.find((input) => input.kind === kind)?.values);
    return { kind, ...joined(parts.map((values) => values ?? new Float32Array())) };
  });
}

/** The inputs of a batch that is repeated: all sequences, then all of them again, and so on. */
export function repeatInputs(inputs: readonly BatchInput[], copies: number): BatchInput[] {
  return inputs.map((input) => {
    const once = Array.from(input.starts.subarray(1), (_, s) => valuesOf(input, s));
    return { kind: input.kind, ...joined(Array.from({ length: copies }, () => once).flat()) };
  });
}

/** The numbers of one sequence. */
export function valuesOf({ values, starts }: BatchInput, s: number): Input["values"] {
  return values.subarray(starts[s], starts[s + 1]);
}

/**
 * Where the rows of each sequence begin, by the first kind whose inputs stand in the place of tokens; `tokens` are the starts where
 * none does. Throws FormatError for an input that is missing, does not fit or is of another kind.
 */
export function rowStarts(inputs: readonly BatchInput[], kinds: readonly InputKind[], tokens: Int32Array): Int32Array {
  const unknown = inputs.find(({ kind }) => !kinds.some((known) => known.kind === kind));
  if (unknown) throw new FormatError(`"${unknown.kind}" is given, which the model does not take`);
  let starts = tokens;
  for (const kind of kinds) {
    const input = inputs.find((each) => each.kind === kind.kind);
    const rows = Array.from(tokens.subarray(1), (end, s) => {
      const values = input && valuesOf(input, s);
      const problem = kind.problem(values, end - tokens[s]!);
      if (problem !== null) throw new FormatError(`${kind.kind} of sequence ${s}: ${problem}`);
      return kind.rows(values!);
    });
    if (starts === tokens && rows.every((count) => count !== null)) starts = sums(rows);
  }
  return starts;
}

function joined(parts: readonly Input["values"][]): Pick<BatchInput, "values" | "starts"> {
  const starts = sums(parts.map(({ length }) => length));
  const whole = parts.every((part) => part instanceof Int32Array || part.length === 0);
  const values = whole ? new Int32Array(starts.at(-1)!) : new Float32Array(starts.at(-1)!);
  for (const [i, part] of parts.entries()) values.set(part, starts[i]!);
  return { values, starts };
}

/** 0, then the sum of the first count, of the first two, and so on. */
function sums(counts: readonly number[]): Int32Array {
  const starts = new Int32Array(counts.length + 1);
  for (const [i, count] of counts.entries()) starts[i + 1] = starts[i]! + count;
  return starts;
}
