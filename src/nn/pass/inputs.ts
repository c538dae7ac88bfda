/**
 * A model's inputs in addition to token ids or instead of them: pixels, audio features, boxes for tokens, latents. The
 * union is open: an input is an array of numbers with the name of its kind, and a model states for each accepted kind
 * what the numbers become.
 *
 * The numbers of several sequences are concatenated like tokens, so that the inputs of a batch may differ in size.
 */
import { FormatError } from "../../core/errors.ts";

/** Numbers of one sequence. */
export interface Input {
  /** The kind of input, such as "pixels". */
  readonly kind: string;
  readonly values: Float32Array | Int32Array;
}

/** Numbers of a batch: sequence s has values[starts[s]] to values[starts[s + 1]]. */
export interface BatchInput extends Input {
  readonly starts: Int32Array;
}

/** A kind of input that a model accepts. */
export interface InputKind {
  readonly kind: string;
  /** Axes of an input, for messages and for checking rows of data; null if one of them varies. */
  readonly shape: readonly number[] | null;
  /**
   * The number of activation rows for this input of one sequence; null for inputs that accompany tokens and share their
   * rows.
   */
  rows(values: Input["values"]): number | null;
  /** The problem with the input of a sequence of this many tokens, or null; the input is undefined if it is missing. */
  problem(values: Input["values"] | undefined, tokens: number): string | null;
  /** The largest input of a sequence of this many tokens: for planning memory. */
  largest(tokens: number): Input["values"];
}

/** Combines the inputs of several sequences into those of a batch. Sequences without a kind have no numbers of it. */
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
 * Where the rows of each sequence start, according to the first kind whose inputs replace tokens; otherwise `tokens`
 * are the starts. Throws FormatError for an input that is missing, does not fit or is of another kind.
 */
export function rowStarts(inputs: readonly BatchInput[], kinds: readonly InputKind[], tokens: Int32Array): Int32Array {
  const unknown = inputs.find(({ kind }) => !kinds.some((known) => known.kind === kind));
  if (unknown) throw new FormatError(`"${unknown.kind}" is given, but the model does not accept it`);
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

/** The cumulative sums of the counts, starting with 0. */
function sums(counts: readonly number[]): Int32Array {
  const starts = new Int32Array(counts.length + 1);
  for (const [i, count] of counts.entries()) starts[i + 1] = starts[i]! + count;
  return starts;
}
