/** Rows as prompts: what a model that writes is to continue. */
import { FormatError, StateError } from "../core/errors.ts";
import type { TaskDefinition } from "../tasks/kit/define-task.ts";
import { type EncodeRowsOptions, type Example, outOfRange } from "../tasks/kit/example.ts";
import { encodeRows } from "./examples.ts";
import { kindOfRow, type Row, taskDefinition } from "./known-tasks.ts";
import { malformed, type RowProblem } from "./malformed.ts";

/**
 * The prompts of the rows of `file`, one a row, with what the rows say should follow them. For tasks that do not continue a text
 * these are the rows as `encodeRows` has them. Throws one FormatError that lists every row that does not fit.
 */
export async function encodePrompts(
  file: string,
  rows: readonly Row[],
  options: EncodeRowsOptions,
): Promise<Example[]> {
  const definition = taskDefinition(options.task ?? "CAUSAL_LM");
  if (definition.prompt === undefined) return encodeRows(file, rows, options);
  const examples: Example[] = [];
  const problems: RowProblem[] = [];
  for (const row of rows) {
    const found = await encodePrompt(row, definition, options);
    if (typeof found === "string") problems.push({ line: row.line, problem: found });
    else examples.push({ ...found, where: `${file}:${row.line}` });
  }
  if (problems.length > 0) throw malformed(file, problems, "Correct these rows, or take them out.");
  return examples;
}

async function encodePrompt(
  row: Row,
  definition: TaskDefinition,
  options: EncodeRowsOptions,
): Promise<Example | string> {
  const tokenizer = () => {
    if (options.tokenizer !== null) return options.tokenizer;
    throw new StateError(`line ${row.line} is text, which needs a tokenizer, but none is given`);
  };
  const { name, needs, prompt, rows } = definition;
  try {
    const fits = rows.some(({ kind }) => kind === row.kind);
    const found = fits ? await prompt!(row, { ...options, tokenizer }) : null;
    if (found === null) return `is ${kindOfRow(row).title}; ${name} needs rows like ${needs}`;
    if (typeof found === "string") return found;
    const wrong = outOfRange(Array.from(found.inputIds), Array.from(found.labels), options.vocabSize);
    return wrong ?? (row.taskId === undefined ? found : { ...found, taskId: row.taskId });
  } catch (error) {
    if (error instanceof FormatError) return error.message; // the template does not take this conversation
    throw error;
  }
}
