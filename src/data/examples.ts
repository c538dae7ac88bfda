/**
 * Rows as examples, by what the model is for: encode-causal.ts, encode-classes.ts and encode-answer.ts say how. For
 * SEQ_2_SEQ_LM source and target each have the tokenizer's special tokens, which end both. FEATURE_EXTRACTION has inputs only.
 */
import { FormatError, ShapeError, StateError } from "../core/errors.ts";
import type { Task } from "../core/task.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { encodeAnswer } from "./encode-answer.ts";
import { encodeCausal } from "./encode-causal.ts";
import { encodeImage, encodeSequence, encodeTokens } from "./encode-classes.ts";
import { type EncodeRowsOptions, type Example, IGNORED, inputOf, lengthLimit } from "./example.ts";
import { lengthOptions } from "./length-options.ts";
import { malformed, type Row, type RowProblem } from "./rows.ts";

export type { AnswerSource, EncodeRowsOptions, Example } from "./example.ts";

/** Rows that a task can use, for messages. */
const NEEDED: Readonly<Record<Task, string>> = {
  CAUSAL_LM: '{"text"}, {"prompt", "completion"}, {"messages"} or {"input_ids", "labels"?}',
  SEQ_2_SEQ_LM: '{"source", "target"} or {"input_ids", "labels"}',
  SEQ_CLS: '{"text", "label"}, {"text", "text_pair", "label"} or {"input_ids", "label"}',
  TOKEN_CLS: '{"tokens": [words], "labels"} or {"input_ids", "labels"}',
  QUESTION_ANS: '{"question", "context", "answers"}',
  FEATURE_EXTRACTION: '{"text"}, {"text", "text_pair"} or {"input_ids"}',
  IMAGE_CLS: '{"image": path, "label"} or {"pixel_values", "label"}',
};
const KIND_NAMES: Readonly<Record<Row["kind"], string>> = {
  text: "a text",
  document: "plain text",
  completion: "a prompt with its completion",
  chat: "a conversation",
  source: "a source with its target",
  words: "words with labels",
  question: "a question with its context",
  tokens: "tokens",
  image: "an image",
  pixels: "pixels",
};

/**
 * The rows of `file` as examples. Throws one FormatError that lists every row that does not fit the task, is too long for
 * the model, has a token or label the model does not know, or has nothing to learn; ShapeError when `maxLength` itself
 * does not fit the model, StateError when there is text and no tokenizer, or labels and no `labelNames`.
 *
 * @example
 * const examples = encodeRows("train.jsonl", rows, { tokenizer, vocabSize: 1024, contextLength: 512, maxLength: 256 });
 * const labelled = encodeRows("reviews.jsonl", rows, { ...options, task: "SEQ_CLS", labelNames: labelNamesOf(rows) });
 */
export function encodeRows(file: string, rows: readonly Row[], options: EncodeRowsOptions): Example[] {
  expectMaxLength(options);
  expectLabelNames(rows, options);
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

/**
 * How many labels of an example count. Of CAUSAL_LM all but the first and those that are -100; of TOKEN_CLS and
 * SEQ_2_SEQ_LM those that are not -100; of the other tasks the example's label is one.
 */
export function countLabels({ labels }: Pick<Example, "labels">, task: Task = "CAUSAL_LM"): number {
  if (task === "CAUSAL_LM") return labels.subarray(1).filter((label) => label !== IGNORED).length;
  if (task === "TOKEN_CLS" || task === "SEQ_2_SEQ_LM") return labels.filter((label) => label !== IGNORED).length;
  return task === "FEATURE_EXTRACTION" || labels.length === 0 ? 0 : 1;
}

function expectMaxLength({ maxLength = null, contextLength, task = "CAUSAL_LM" }: EncodeRowsOptions): void {
  if (maxLength === null || task === "IMAGE_CLS") return;
  if (!lengthOptions.maxLength.is(maxLength)) {
    throw new ShapeError(
      `max length is ${maxLength}, it should be a whole number of at least 2: one token predicts the next`,
    );
  }
  if (contextLength !== null && maxLength > contextLength) {
    throw new ShapeError(`max length is ${maxLength}, it should be at most ${contextLength}, the model's context`);
  }
}

function expectLabelNames(rows: readonly Row[], { task = "CAUSAL_LM", labelNames = null }: EncodeRowsOptions): void {
  if (labelNames !== null || !["SEQ_CLS", "TOKEN_CLS", "IMAGE_CLS"].includes(task)) return;
  const labelled = rows.some((row) => ("labels" in row && row.labels !== null) || "label" in row);
  if (labelled) throw new StateError(`${task} needs the names of its labels: labelNames, such as labelNamesOf(rows)`);
}

/** The examples of one row (several for a document), or what is wrong with it. */
function encodeRow(row: Row, options: EncodeRowsOptions): Example[] | string {
  const { task = "CAUSAL_LM" } = options;
  try {
    const found = task === "CAUSAL_LM" ? causalExamples(row, options) : encodeFor(task, row, options);
    if (found === null) return `is ${KIND_NAMES[row.kind]}; ${task} needs rows like ${NEEDED[task]}`;
    if (typeof found === "string") return found;
    const examples = [found].flat();
    for (const example of examples) {
      const wrong = wrongWith(example, task, options);
      if (wrong !== null) return wrong;
    }
    return row.taskId === undefined ? examples : examples.map((example) => ({ ...example, taskId: row.taskId! }));
  } catch (error) {
    if (error instanceof FormatError) return error.message; // the template does not take this conversation
    throw error;
  }
}

/** An example of any other task, what is wrong with the row, or null for a kind that does not fit. */
function encodeFor(task: Exclude<Task, "CAUSAL_LM">, row: Row, options: EncodeRowsOptions): Example | string | null {
  const tokenizer = tokenizerFor(row, options);
  switch (task) {
    case "SEQ_CLS":
      return encodeSequence(row, tokenizer, options);
    case "TOKEN_CLS":
      return encodeTokens(row, tokenizer, options);
    case "QUESTION_ANS":
      return encodeAnswer(row, tokenizer, options);
    case "IMAGE_CLS":
      return encodeImage(row, options);
    case "SEQ_2_SEQ_LM":
      return encodeTarget(row, tokenizer, options);
    case "FEATURE_EXTRACTION": {
      const bare = row.kind === "text" || row.kind === "tokens" ? { ...row, label: undefined } : row;
      return encodeSequence(bare as Row, tokenizer, { ...options, unlabelled: true });
    }
  }
}

function tokenizerFor(row: Row, { tokenizer }: EncodeRowsOptions): () => Tokenizer {
  return () => {
    if (tokenizer !== null) return tokenizer;
    throw new StateError(`line ${row.line} is text, which needs a tokenizer, but none is given`);
  };
}

function encodeTarget(row: Row, tokenizer: () => Tokenizer, options: EncodeRowsOptions): Example | string | null {
  const maxLength = lengthLimit(options);
  const maxTarget = options.maxTargetLength ?? maxLength;
  if (row.kind === "tokens") {
    if (row.labels === null && !options.unlabelled) return 'has no "labels": the tokens of the target';
    const input = inputOf({ inputIds: row.inputIds.slice(0, maxLength ?? row.inputIds.length) });
    return { ...input, labels: Int32Array.from((row.labels ?? []).slice(0, maxTarget ?? row.labels?.length)) };
  }
  const bare = row.kind === "text" && row.textPair === undefined && options.unlabelled;
  if (row.kind !== "source" && !bare) return null;
  const source = row.kind === "source" ? row.source : row.text;
  const { inputIds } = tokenizer().encodePair(source, null, { maxLength });
  const target =
    row.kind === "source" ? tokenizer().encodePair(row.target, null, { maxLength: maxTarget }).inputIds : [];
  return { inputIds: Int32Array.from(inputIds), labels: Int32Array.from(target) };
}

function causalExamples(row: Row, options: EncodeRowsOptions): Example[] | string | null {
  const encoded = encodeCausal(row, tokenizerFor(row, options), options);
  if (encoded === null || typeof encoded === "string") return encoded;
  const examples: Example[] = [];
  for (const { inputIds, labels } of encoded) {
    const wrong = outOfRange(inputIds, labels, options.vocabSize) ?? tooLong(inputIds.length, options);
    if (wrong !== null) return wrong;
    const kept = options.maxLength ?? inputIds.length;
    const example = {
      inputIds: Int32Array.from(inputIds.slice(0, kept)),
      labels: Int32Array.from(labels.slice(0, kept)),
    };
    if (!options.unlabelled && countLabels(example) === 0) return nothingToLearn(row, inputIds.length, kept);
    examples.push(example);
  }
  return examples;
}

function wrongWith({ inputIds, labels, pixels }: Example, task: Task, options: EncodeRowsOptions): string | null {
  if (pixels === undefined && inputIds.length === 0) return "is empty: it has no tokens";
  const targets = task === "SEQ_2_SEQ_LM" ? Array.from(labels) : [];
  const wrong = outOfRange(Array.from(inputIds), targets, options.vocabSize);
  if (wrong !== null || options.unlabelled || task === "CAUSAL_LM" || task === "FEATURE_EXTRACTION") return wrong;
  return countLabels({ labels }, task) === 0 ? "has nothing to learn: no label is left" : null;
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
