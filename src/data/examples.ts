/**
 * Rows as tokens. `labels` are aligned with `inputIds` as transformers has them: `labels[i]` is what position i - 1
 * should have predicted, and -100 where nothing is learnt; so the first label is never used.
 *
 *   text         what the tokenizer puts around a text, and the end-of-sequence token; all of it is learnt
 *   completion   prompt and completion as one text, and the end-of-sequence token; learnt from the completion on
 *   chat         the template's text, which has its own ends; what the assistant wrote is learnt
 *   tokens       as given; without labels all of it is learnt
 *   document     windows as long as allowed, each beginning as a text does; the last one ends as a text does
 */
import { FormatError, ShapeError, StateError } from "../core/errors.ts";
import type { Labelled, Tokenizer } from "../text/tokenizer.ts";
import { malformed, type Row, type RowProblem } from "./rows.ts";

/** One sequence to train on. Both arrays have the same length. */
export interface Example {
  readonly inputIds: Int32Array;
  readonly labels: Int32Array;
  /** Where it comes from, "file:line", for messages. */
  readonly where?: string;
}

export interface EncodeRowsOptions {
  /** May be null when every row is tokens already. */
  readonly tokenizer: Tokenizer | null;
  /** Rows of the model's embedding. */
  readonly vocabSize: number;
  /** The longest sequence the model takes, or null when nothing limits it. */
  readonly contextLength: number | null;
  /** Cut longer rows off after this many tokens. Without it a row longer than the context is an error. */
  readonly maxLength?: number | null;
  /** Take rows that have nothing to learn as well: to compute with, not to measure. */
  readonly unlabelled?: boolean;
}

/** Windows of a plain text when neither the model nor the caller limits them. */
const DEFAULT_WINDOW = 512;
const IGNORED = -100;

/**
 * Tokenizes the rows of `file`. Throws one FormatError that lists every row that is too long for the model, has a
 * token the model does not know, or has nothing to learn; ShapeError when `maxLength` itself does not fit the model,
 * StateError when there is text and no tokenizer.
 *
 * @example
 * const examples = encodeRows("train.jsonl", rows, { tokenizer, vocabSize: 1024, contextLength: 512, maxLength: 256 });
 */
export function encodeRows(file: string, rows: readonly Row[], options: EncodeRowsOptions): Example[] {
  expectMaxLength(options);
  const examples: Example[] = [];
  const problems: RowProblem[] = [];
  for (const row of rows) {
    const found = encodeRow(row, options);
    if (typeof found === "string") problems.push({ line: row.line, problem: found });
    else for (const example of found) examples.push({ ...example, where: `${file}:${row.line}` });
  }
  if (problems.length > 0) throw malformed(file, problems, "Correct these rows, or take them out.");
  return examples;
}

/** How many labels of an example count: all but the first and those that are -100. */
export function countLabels({ labels }: Example): number {
  let count = 0;
  for (let i = 1; i < labels.length; i++) if (labels[i] !== IGNORED) count++;
  return count;
}

function expectMaxLength({ maxLength = null, contextLength }: EncodeRowsOptions): void {
  if (maxLength === null) return;
  if (!Number.isInteger(maxLength) || maxLength < 2) {
    throw new ShapeError(
      `max length is ${maxLength}, it should be a whole number of at least 2: one token predicts the next`,
    );
  }
  if (contextLength !== null && maxLength > contextLength) {
    throw new ShapeError(`max length is ${maxLength}, it should be at most ${contextLength}, the model's context`);
  }
}

/** The examples of one row (several for a document), or what is wrong with it. */
function encodeRow(row: Row, options: EncodeRowsOptions): Example[] | string {
  let encoded: Labelled[];
  try {
    encoded = encode(row, options);
  } catch (error) {
    if (error instanceof FormatError) return error.message; // the chat template does not take this conversation
    throw error;
  }
  const examples: Example[] = [];
  for (const { inputIds, labels } of encoded) {
    const wrong = outOfRange(inputIds, labels, options.vocabSize) ?? tooLong(inputIds.length, options);
    if (wrong !== null) return wrong;
    const kept = options.maxLength ?? inputIds.length;
    const example = {
      inputIds: Int32Array.from(inputIds.slice(0, kept)),
      labels: Int32Array.from(labels.slice(0, kept)),
    };
    const usable = options.unlabelled ? inputIds.length > 0 : countLabels(example) > 0;
    if (!usable) return nothingToLearn(row, inputIds.length, kept);
    examples.push(example);
  }
  return examples;
}

function encode(row: Row, options: EncodeRowsOptions): Labelled[] {
  const { tokenizer } = options;
  if (row.kind === "tokens") return [{ inputIds: [...row.inputIds], labels: [...(row.labels ?? row.inputIds)] }];
  if (tokenizer === null) throw new StateError(`line ${row.line} is text, which needs a tokenizer, but none is given`);
  switch (row.kind) {
    case "text":
      return [whole(ended(tokenizer.encode(row.text), tokenizer))];
    case "completion":
      return [completion(row.prompt, row.completion, tokenizer)];
    case "chat":
      return [tokenizer.encodeChat(row.messages, row.tools)];
    case "document":
      return windows(row.text, tokenizer, options);
  }
}

/** Tokenized as one text, so that the tokens are those of the words as a reader sees them. */
function completion(prompt: string, text: string, tokenizer: Tokenizer): Labelled {
  const joined = prompt + text;
  const { inputIds, labels } = tokenizer.encodeSpans(joined, [{ start: prompt.length, end: joined.length }]);
  const eos = ended(inputIds, tokenizer).slice(inputIds.length);
  return { inputIds: [...inputIds, ...eos], labels: [...labels, ...eos] };
}

function whole(inputIds: number[]): Labelled {
  return { inputIds, labels: inputIds };
}

/** With the end-of-sequence token, unless it is there already or the tokenizer has none. */
function ended(ids: readonly number[], { eosTokenId }: Tokenizer): number[] {
  return eosTokenId === null || ids.at(-1) === eosTokenId ? [...ids] : [...ids, eosTokenId];
}

/** A long text in windows of equal length. A last window of one token, from which nothing is learnt, is left out. */
function windows(text: string, tokenizer: Tokenizer, { contextLength, maxLength }: EncodeRowsOptions): Labelled[] {
  const length = maxLength ?? contextLength ?? DEFAULT_WINDOW;
  const opening = openingTokens(tokenizer);
  const body = ended(tokenizer.encode(text, { addSpecialTokens: false }), tokenizer);
  const step = Math.max(1, length - opening.length);
  const found: Labelled[] = [];
  for (let at = 0; at < body.length; at += step) found.push(whole([...opening, ...body.slice(at, at + step)]));
  return found.filter(({ inputIds }) => inputIds.length > 1);
}

/** What the tokenizer puts before a text, such as <s>. */
function openingTokens(tokenizer: Tokenizer): number[] {
  const [first] = tokenizer.encode("a", { addSpecialTokens: false });
  const around = tokenizer.encode("a");
  return around.slice(0, Math.max(0, around.indexOf(first!)));
}

function outOfRange(inputIds: readonly number[], labels: readonly number[], vocabSize: number): string | null {
  const beyond = (id: number) => id >= vocabSize;
  const id = inputIds.find(beyond) ?? labels.find(beyond);
  if (id === undefined) return null;
  const range = `${vocabSize} (0 to ${vocabSize - 1})`;
  return `has token ${id}, but the model's vocabulary has ${range}; is this the model's own tokenizer?`;
}

function tooLong(length: number, { contextLength, maxLength = null }: EncodeRowsOptions): string | null {
  if (maxLength !== null || contextLength === null || length <= contextLength) return null;
  const found = `has ${length} tokens, but the model's context is ${contextLength}`;
  return `${found}; give a max length (--max-length) to cut rows off`;
}

function nothingToLearn(row: Row, length: number, kept: number): string {
  if (kept < length)
    return `has nothing to learn in its first ${kept} tokens of ${length}, where max length cuts it off`;
  const reason = row.kind === "tokens" ? "all its labels are -100, or it has one token" : "it is empty";
  return `has nothing to learn: ${reason}`;
}
