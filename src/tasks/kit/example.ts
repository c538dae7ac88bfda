/** What a model is shown and should say: one row of data as numbers. */
import type { ProblemType } from "../../core/labels.ts";
import type { Task } from "../../core/task.ts";
import type { Input, InputKind } from "../../nn/pass/inputs.ts";
import type { Offsets } from "../../text/offsets.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";

/** One thing to learn from. */
export interface Example {
  /** Ids of the encoder's or decoder's input; empty for images. */
  readonly inputIds: Int32Array;
  /**
   * What they say is the task's: one per id, -100 where nothing is learned; the ids of a target; a class; several classes or
   * values as a Float32Array; positions. Empty where a row without labels was allowed.
   */
  readonly labels: Int32Array | Float32Array;
  /** One per id; not there when all are 0. */
  readonly tokenTypes?: Int32Array;
  /** What the model is given besides ids or in their place. */
  readonly inputs?: readonly Input[];
  /** Which task it belongs to, for prompts that are trained for several. */
  readonly taskId?: number;
  /** What positions stand for, where the answer is a part of a text. */
  readonly answer?: AnswerSource;
  /** How many tokens the row had before it was cut; not there when it was not. */
  readonly uncut?: number;
  /** What should follow a prompt that is to be continued, where the row says it. */
  readonly reference?: string;
  /** Where it comes from, "file:line", for messages. */
  readonly where?: string;
}

/** Turns positions of tokens into words of the context. */
export interface AnswerSource {
  readonly context: string;
  /** For each id the characters of the context it stands for, null for ids that are not the context's. */
  readonly offsets: readonly (Offsets | null)[];
  /** Answers that are right; none when the context does not answer. */
  readonly texts: readonly string[];
}

/** How rows become examples. */
export interface EncodeRowsOptions {
  /** What the model is for; by default a decoder-only language model. */
  readonly task?: Task;
  /** May be null when every row is tokens already. */
  readonly tokenizer: Tokenizer | null;
  /** Rows of the model's embedding. */
  readonly vocabSize: number;
  /** The longest sequence the model takes, or null when nothing limits it. */
  readonly contextLength: number | null;
  /**
   * Cut longer rows off after this many tokens. Without it a row longer than the context is an error for a decoder-only
   * language model; for other tasks it is cut to the context.
   */
  readonly maxLength?: number | null;
  /** The same for the targets of an encoder-decoder. */
  readonly maxTargetLength?: number | null;
  /** The model's classes in the order of their numbers, as its config's `id2label` or `labelNamesOf(rows)` has them. */
  readonly labelNames?: readonly string[] | null;
  /** What the labels of texts are; one class by default. */
  readonly problemType?: ProblemType | null;
  /**
   * What rows of a language model teach: the answers to prompts and in conversations (the default), or all of their text. Rows of
   * ids have their own labels.
   */
  readonly trainOn?: "answers" | "all";
  /** What to do about a row of which the length limit cuts off all labels: leave it out with a warning, or refuse the file. */
  readonly labelsCut?: "skip" | "error";
  /** Told what was left out. */
  readonly onWarning?: (text: string) => void;
  /** What the model takes besides ids or in their place. */
  readonly inputKinds?: readonly Pick<InputKind, "kind" | "shape">[];
  /** Take rows that have nothing to learn as well: to compute with, not to measure. */
  readonly unlabelled?: boolean;
}

/** What a task is given to encode a row with. */
export interface EncodeContext extends Omit<EncodeRowsOptions, "tokenizer"> {
  /** Throws StateError when there is none. */
  tokenizer(): Tokenizer;
}

/** Tokens that a row may have in tasks that cut it, or null. */
export function lengthLimit({ maxLength = null, contextLength }: EncodeContext): number | null {
  return maxLength ?? contextLength;
}

/** The part of an Example that ids make. */
export function inputOf(encoding: {
  readonly inputIds: readonly number[];
  readonly tokenTypes?: readonly number[];
}): Pick<Example, "inputIds" | "tokenTypes"> {
  const { inputIds, tokenTypes = [] } = encoding;
  const typed = tokenTypes.some((type) => type !== 0) && { tokenTypes: Int32Array.from(tokenTypes) };
  return { inputIds: Int32Array.from(inputIds), ...typed };
}

/** The first id or label outside the vocabulary, in words, or null. */
export function outOfRange(inputIds: readonly number[], labels: readonly number[], vocabSize: number): string | null {
  const beyond = (id: number) => id >= vocabSize;
  const id = inputIds.find(beyond) ?? labels.find(beyond);
  if (id === undefined) return null;
  const range = `${vocabSize} (0 to ${vocabSize - 1})`;
  return `has token ${id}, but the model's vocabulary has ${range}; is this the model's own tokenizer?`;
}
