/** One line of a JSON Lines file as a row: kinds are told apart by their keys. Any row may have a whole number "task_id". */
import { didYouMean } from "../core/similar.ts";
import { isWhole, type JsonRow, kindOf, type RowContent } from "../tasks/kit/define-row.ts";
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
  return readKind(row as JsonRow);
}

function readKind(row: JsonRow): (RowContent & { taskId?: number }) | string {
  const kinds = rowKinds().filter(({ required }) => required.some((key) => key in row));
  const [kind] = kinds;
  if (kind === undefined) return withoutMarks(Object.keys(row));
  const marks = kinds.flatMap(({ required }) => required.filter((key) => key in row));
  if (kinds.length > 1) {
    return `has ${marks.map((key) => `"${key}"`).join(" and ")}, which belong to different kinds of rows`;
  }
  const missing = kind.required.find((key) => !(key in row));
  if (missing !== undefined) return `has "${marks[0]}" without "${missing}"`;
  const { task_id: taskId = null } = row;
  if (taskId !== null && !isWhole(taskId))
    return `"task_id" should be a whole number of 0 or more, found ${kindOf(taskId)}`;
  const content = kind.read!(row);
  return taskId === null || typeof content === "string" ? content : { ...content, taskId };
}

function withoutMarks(keys: readonly string[]): string {
  const found = keys.length === 0 ? "has no keys" : `has only the keys ${keys.map((key) => `"${key}"`).join(", ")}`;
  const marks = rowKinds().flatMap(({ required }) => required);
  return `${found}.${keys.map((key) => didYouMean(key, marks)).find((hint) => hint !== "") ?? ""}`;
}
