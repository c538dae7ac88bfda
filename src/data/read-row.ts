/** One line of a JSON Lines file as a row: kinds are told apart by their keys. Any row may have a whole number "task_id". */

import { parsePythonJson } from "../core/python-json.ts";
import { didYouMean } from "../core/similar.ts";
import { isWhole, type JsonRow, kindOf, type RowContent, type RowKind } from "../tasks/kit/define-row.ts";
import { rowKinds } from "./known-tasks.ts";

/** How rows are written, for messages. */
export function shapes(): readonly string[] {
  return rowKinds().flatMap((kind) => kind.shapes);
}

/** The row, or what is wrong with it. */
export function readRow(text: string): (RowContent & { taskId?: number }) | string {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (cause) {
    return `not JSON: ${cause instanceof Error ? cause.message : cause}`;
  }
  if (typeof row !== "object" || row === null || Array.isArray(row))
    return `should be a JSON object, found ${kindOf(row)}`;
  return readKind("messages" in row ? { ...row, ...conversation(text) } : (row as JsonRow));
}

/** What a template prints as Python does: floats, integers beyond 2^53 and the order of keys are kept. */
function conversation(text: string): JsonRow {
  const { messages, tools = null } = parsePythonJson(text) as JsonRow;
  return { messages, ...(tools !== null && { tools }) };
}

function readKind(row: JsonRow): (RowContent & { taskId?: number }) | string {
  const kind = recognize(row, rowKinds());
  if (typeof kind === "string") return kind;
  const { task_id: taskId = null } = row;
  if (taskId !== null && !isWhole(taskId))
    return `"task_id" should be a whole number of 0 or more, found ${kindOf(taskId)}`;
  const content = kind.read!(row);
  return taskId === null || typeof content === "string" ? content : { ...content, taskId };
}

/**
 * The kind whose required keys are all there, of several the one that requires those of the others as well; or why there is none.
 * A key that another kind requires and this one does not read is a mistake.
 */
export function recognize(row: JsonRow, kinds: readonly RowKind[]): RowKind | string {
  const has = (key: string) => Object.hasOwn(row, key);
  const marks = [...new Set(kinds.flatMap(({ required }) => required))].filter(has);
  if (marks.length === 0) return withoutMarks(Object.keys(row), kinds);
  const complete = kinds.filter(({ required }) => required.length > 0 && required.every(has));
  const [kind, ...others] = complete.filter(
    ({ required }) => !complete.some((each) => extend(each.required, required)),
  );
  const [partial] = kinds.filter(({ required }) => required.includes(marks[0]!));
  const { required, optional } = kind ?? partial!;
  const foreign = marks.filter((key) => !required.includes(key) && !optional.includes(key));
  if (others.length > 0 || foreign.length > 0) {
    return `has ${marks.map((key) => `"${key}"`).join(" and ")}, which belong to different kinds of rows`;
  }
  return kind ?? `has "${marks[0]}" without "${required.find((key) => !has(key))}"`;
}

/** Whether these keys are the others and more. */
function extend(keys: readonly string[], others: readonly string[]): boolean {
  return keys.length > others.length && others.every((key) => keys.includes(key));
}

function withoutMarks(keys: readonly string[], kinds: readonly RowKind[]): string {
  const found = keys.length === 0 ? "has no keys" : `has only the keys ${keys.map((key) => `"${key}"`).join(", ")}`;
  const marks = kinds.flatMap(({ required }) => required);
  return `${found}.${keys.map((key) => didYouMean(key, marks)).find((hint) => hint !== "") ?? ""}`;
}
