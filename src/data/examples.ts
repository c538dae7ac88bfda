/** Rows as examples, by what the model is for: each file of src/tasks/ says how. */
import { FormatError, ShapeError, StateError } from "../core/errors.ts";
import type { Task } from "../core/task.ts";
import type { TaskDefinition } from "../tasks/kit/define-task.ts";
import { type EncodeContext, type EncodeRowsOptions, type Example, outOfRange } from "../tasks/kit/example.ts";
import { kindOfRow, type Row, taskDefinition } from "./known-tasks.ts";
import { lengthOptions } from "./length-options.ts";
import { malformed, type RowProblem } from "./rows.ts";

export type { AnswerSource, EncodeRowsOptions, Example } from "../tasks/kit/example.ts";

/**
 * The rows of `file` as examples. Throws one FormatError that lists every row that does not fit the task, is too long for
 * the model, has a token or label the model does not know, or has nothing to learn; ShapeError when `maxLength` itself
 * does not fit the model, StateError when there is text and no tokenizer, or labels and no `labelNames`.
 *
 * @example
 * const examples = encodeRows("train.jsonl", rows, { tokenizer, vocabSize: 1024, contextLength: 512, maxLength: 256 });
 * const examples = encodeRows("reviews.jsonl", rows, { ...options, task: "SEQ_CLS", labelNames: labelNamesOf(rows) });
 */
export function encodeRows(file: string, rows: readonly Row[], options: EncodeRowsOptions): Example[] {
  const definition = taskDefinition(options.task ?? "CAUSAL_LM");
  expectMaxLength(rows, options);
  expectLabelNames(rows, definition, options);
  const examples: Example[] = [];
  const problems: RowProblem[] = [];
  for (const row of rows) {
    const found = encodeRow(row, definition, options);
    if (typeof found === "string") problems.push({ line: row.line, problem: found });
    else for (const example of found) examples.push({ ...example, where: `${file}:${row.line}` });
  }
  if (problems.length > 0) throw malformed(file, problems, "Correct these rows, or take them out.");
  return examples;
}

/** How many labels of an example count. */
export function countLabels({ labels }: Pick<Example, "labels">, task: Task = "CAUSAL_LM"): number {
  return taskDefinition(task).countLabels?.(labels) ?? 0;
}

function expectMaxLength(rows: readonly Row[], { maxLength = null, contextLength }: EncodeRowsOptions): void {
  if (maxLength === null || !rows.some((row) => "inputIds" in row || kindOfRow(row).isText)) return;
  if (!lengthOptions.maxLength.is(maxLength)) {
    throw new ShapeError(
      `max length is ${maxLength}, it should be a whole number of at least 2: one token predicts the next`,
    );
  }
  if (contextLength !== null && maxLength > contextLength) {
    throw new ShapeError(`max length is ${maxLength}, it should be at most ${contextLength}, the model's context`);
  }
}

function expectLabelNames(
  rows: readonly Row[],
  { name, classes }: TaskDefinition,
  { labelNames = null }: EncodeRowsOptions,
): void {
  if (labelNames !== null || classes === undefined) return;
  const labelled = rows.some((row) => ("labels" in row && row.labels !== null) || "label" in row);
  if (labelled) throw new StateError(`${name} needs the names of its labels: labelNames, such as labelNamesOf(rows)`);
}

/** The examples of one row (several for a document), or what is wrong with it. */
function encodeRow(row: Row, definition: TaskDefinition, options: EncodeRowsOptions): Example[] | string {
  const { name, needs, rows } = definition;
  try {
    const fits = rows.some(({ kind }) => kind === row.kind);
    const found = fits ? definition.encode(row, contextOf(row, options)) : null;
    if (found === null) return `is ${kindOfRow(row).title}; ${name} needs rows like ${needs}`;
    if (typeof found === "string") return found;
    const examples = [found].flat();
    for (const example of examples) {
      const wrong = wrongWith(example, definition, options);
      if (wrong !== null) return wrong;
    }
    return row.taskId === undefined ? examples : examples.map((example) => ({ ...example, taskId: row.taskId! }));
  } catch (error) {
    if (error instanceof FormatError) return error.message; // the template does not take this conversation
    throw error;
  }
}

function contextOf(row: Row, { tokenizer, ...options }: EncodeRowsOptions): EncodeContext {
  return {
    ...options,
    tokenizer() {
      if (tokenizer !== null) return tokenizer;
      throw new StateError(`line ${row.line} is text, which needs a tokenizer, but none is given`);
    },
  };
}

function wrongWith(example: Example, definition: TaskDefinition, options: EncodeRowsOptions): string | null {
  const { inputIds, labels, inputs = [] } = example;
  const { countLabels, labelsAreTokens = false } = definition;
  if (inputs.length === 0 && inputIds.length === 0) return "is empty: it has no tokens";
  const wrong = outOfRange(Array.from(inputIds), labelsAreTokens ? Array.from(labels) : [], options.vocabSize);
  if (wrong !== null || options.unlabelled || countLabels === undefined) return wrong;
  return countLabels(labels) === 0 ? "has nothing to learn: no label is left" : null;
}
