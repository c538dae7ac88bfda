/** Rows as examples, by what the model is for: each file of src/tasks/ says how. */
import { FormatError, ShapeError, StateError } from "../core/errors.ts";
import type { Task } from "../core/task.ts";
import type { TaskDefinition } from "../tasks/kit/define-task.ts";
import { type EncodeContext, type EncodeRowsOptions, type Example, outOfRange } from "../tasks/kit/example.ts";
import { kindOfRow, type Row, taskDefinition } from "./known-tasks.ts";
import { lengthOptions } from "./length-options.ts";
import { malformed, type RowProblem } from "./malformed.ts";

export type { AnswerSource, EncodeRowsOptions, Example } from "../tasks/kit/example.ts";

/** See load-dataset.ts, through which users reach it. */
export function encodeRows(file: string, rows: readonly Row[], options: EncodeRowsOptions): Example[] {
  const definition = taskDefinition(options.task ?? "CAUSAL_LM");
  expectMaxLength(rows, options);
  if (options.trainOn === "all" && !(definition.labelsAreTokens && definition.labelsAlign === "ids")) {
    throw new FormatError(`trainOn is "all", which is for language models; ${definition.name} has labels of its rows`);
  }
  expectLabelNames(rows, definition, options);
  const examples: Example[] = [];
  const problems: RowProblem[] = [];
  const left: Row[] = [];
  for (const row of rows) {
    const found = encodeRow(row, definition, options);
    const { line, file: own } = row;
    if (found === LABELS_CUT && options.labelsCut !== "error") left.push(row);
    else if (typeof found === "string") problems.push({ line, file: own, problem: found });
    else for (const example of found) examples.push({ ...example, where: `${own ?? file}:${line}` });
  }
  if (problems.length > 0) throw malformed(file, problems, "Correct these rows, or take them out.");
  if (left.length === 0) return examples;
  const where = left.slice(0, LISTED).map((row) => `${row.file ?? file}:${row.line}`);
  const more = left.length > LISTED ? ` and ${left.length - LISTED} more` : "";
  const count = left.length === 1 ? "1 row is" : `${left.length} rows are`;
  const text = `${count} left out, because max length cuts off all that is learned: ${where.join(", ")}${more}`;
  if (examples.length === 0) throw new FormatError(`${text}; nothing is left: raise maxLength`);
  options.onWarning?.(text);
  return examples;
}

/** Rows left out that a warning names. */
const LISTED = 20;
const LABELS_CUT = "has nothing to learn: max length cuts off all its labels";

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
    const encode = (limits: EncodeRowsOptions) => {
      const found = rows.includes(kindOfRow(row)) ? definition.encode(row, contextOf(row, limits)) : null;
      return found === null || typeof found === "string" ? found : [found].flat();
    };
    const found = encode(options);
    if (found === null) return `is ${kindOfRow(row).title}; ${name} needs rows like ${needs}`;
    if (typeof found === "string") return found;
    const whole = isFull(found, options) ? encode({ ...options, maxLength: null, contextLength: null }) : found;
    const examples = found.map((example) => withUncut(example, whole));
    for (const example of examples) {
      const wrong = wrongWith(example, definition, options);
      if (wrong !== null) return wrong === NO_LABEL && isLearned(whole, definition) ? LABELS_CUT : wrong;
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
  return countLabels(labels) === 0 ? NO_LABEL : null;
}

const NO_LABEL = "has nothing to learn: it is empty, has one token, or all its labels are -100";

/** Whether the one example of a row is as long as rows may be, so that it may have been cut. */
function isFull(examples: readonly Example[], { maxLength = null, contextLength }: EncodeRowsOptions): boolean {
  return examples.length === 1 && examples[0]!.inputIds.length === (maxLength ?? contextLength);
}

/** An example with the length that it would have had. */
function withUncut(example: Example, whole: readonly Example[] | string | null): Example {
  const length = Array.isArray(whole) && whole.length === 1 ? whole[0]!.inputIds.length : 0;
  return length > example.inputIds.length ? { ...example, uncut: length } : example;
}

/** Whether something of a row that is not cut is learned. */
function isLearned(whole: readonly Example[] | string | null, { countLabels }: TaskDefinition): boolean {
  return Array.isArray(whole) && whole.some(({ labels }) => (countLabels?.(labels) ?? 0) > 0);
}
