/** Which kind of row an entry of a data file is: kinds are told apart by their keys. Any row may have a whole number "task_id". */
import { FormatError } from "../core/errors.ts";
import { didYouMean } from "../core/similar.ts";
import type { Task } from "../core/task.ts";
import { isWhole, type JsonRow, kindOf, type RowContent, type RowKind } from "../tasks/kit/define-row.ts";
import { jsonRecord } from "./files/json-records.ts";
import type { FileRecord } from "./files/record.ts";
import { rowKinds, takenKinds, taskDefinition } from "./known-tasks.ts";

/** How an entry is read that could be several kinds of rows, or has names of other projects. */
export interface RowChoice {
  /** Only kinds of rows that this task takes. */
  readonly task?: Task | null;
  /** Keys of rows with the names that the file has for them: `{ text: "body" }`. A row is read as a kind that has these keys. */
  readonly columns?: Readonly<Record<string, string>> | null;
  /** The most bytes that a .gz or .parquet file may unpack to; 1 GB by default. */
  readonly maxUnpackedBytes?: number;
  /** The most pixels that an image may have; 89,478,485 by default, as in Pillow. */
  readonly maxPixels?: number;
}

/** How rows are written, for messages. */
export function shapes(): readonly string[] {
  return takenKinds().flatMap((kind) => kind.shapes);
}

/** Keys whose values are text. */
export function textKeys(): ReadonlySet<string> {
  return new Set(rowKinds().flatMap(({ texts = [] }) => texts));
}

/** The row of a JSON text, or what is wrong with it. */
export function readRow(text: string, choice: RowChoice = {}): (RowContent & { taskId?: number }) | string {
  return readRecord(jsonRecord(1, text), choice);
}

/** The row, or what is wrong with it. */
export function readRecord(
  { row: found, exact }: FileRecord,
  choice: RowChoice = {},
): (RowContent & { taskId?: number }) | string {
  if (typeof found === "string") return found;
  const row = renamed(found, choice);
  if (typeof row === "string") return row;
  const kind = kindFor(row, choice);
  if (typeof kind === "string") return kind;
  const { task_id: taskId = null } = row;
  if (taskId !== null && !isWhole(taskId))
    return `"task_id" should be a whole number of 0 or more, found ${kindOf(taskId)}`;
  const printed = kind.isTemplated && exact !== undefined ? (renamed(exact(), choice) as JsonRow) : row;
  const content = kind.read!(printed);
  return taskId === null || typeof content === "string" ? content : { ...content, taskId };
}

/** Throws FormatError for a key that no kind of row has. */
export function expectColumns({ columns }: RowChoice): void {
  const known = rowKinds().flatMap(({ required, optional }) => [...required, ...optional]);
  const unknown = Object.keys(columns ?? {}).find((key) => !known.includes(key) && key !== "task_id");
  if (unknown === undefined) return;
  throw new FormatError(`columns: no kind of row has the key "${unknown}".${didYouMean(unknown, known)}`);
}

/** The kind of a row: of those that the task takes, or else of any kind, which the task then refuses by its name. */
function kindFor(row: JsonRow, { task = null, columns }: RowChoice): RowKind | string {
  const chosen = Object.keys(columns ?? {});
  const found = task === null ? null : recognize(row, taskDefinition(task).rows, chosen);
  if (found !== null && typeof found !== "string") return found;
  const other = recognize(row, rowKinds(), chosen);
  return typeof other === "string" ? (found ?? other) : other;
}

/** The row with the keys that kinds of rows have, or what is missing. */
function renamed(row: JsonRow, { columns }: RowChoice): JsonRow | string {
  const entries = Object.entries(columns ?? {});
  if (entries.length === 0) return row;
  const missing = entries.find(([, column]) => !Object.hasOwn(row, column));
  if (missing !== undefined)
    return `has no "${missing[1]}" for "${missing[0]}".${didYouMean(missing[1], Object.keys(row))}`;
  const sources = entries.map(([, column]) => column);
  const others = Object.entries(row).filter(([key]) => !sources.includes(key));
  return Object.fromEntries([...others, ...entries.map(([key, column]) => [key, row[column]])]);
}

/**
 * The kind whose required keys are all there, and those that are `chosen`; of several the one that requires those of the others as
 * well. Else why there is none, or which ones there are. Keys that a kind does not read are ignored.
 */
export function recognize(row: JsonRow, kinds: readonly RowKind[], chosen: readonly string[] = []): RowKind | string {
  const readable = kinds.filter(({ required, optional }) =>
    chosen.every((key) => key === "task_id" || required.includes(key) || optional.includes(key)),
  );
  const complete = (has: (key: string) => boolean) => {
    const found = readable.filter(({ required }) => required.length > 0 && required.every(has));
    return found.filter(({ required }) => !found.some((each) => extend(each.required, required)));
  };
  const has = (key: string) => Object.hasOwn(row, key);
  const filled = complete((key) => has(key) && row[key] !== null);
  const [kind, ...others] = filled.length > 0 ? filled : complete(has);
  if (kind === undefined) return incomplete(row, kinds);
  return others.length === 0 ? kind : ambiguous([kind, ...others]);
}

/** Whether these keys are the others and more. */
function extend(keys: readonly string[], others: readonly string[]): boolean {
  return keys.length > others.length && others.every((key) => keys.includes(key));
}

function ambiguous(kinds: readonly RowKind[]): string {
  const readings = kinds.map(({ title, required }) => `${title} (${required.map((key) => `"${key}"`).join(", ")})`);
  const flags = kinds.map(({ required }) => `--columns ${required.map((key) => `${key}=${key}`).join(",")}`);
  return `can be read as ${readings.join(" or as ")}: choose with ${flags.join(" or ")}, or with --task`;
}

function incomplete(row: JsonRow, kinds: readonly RowKind[]): string {
  const keys = Object.keys(row);
  const marks = [...new Set(kinds.flatMap(({ required }) => required))];
  const mark = marks.find((key) => Object.hasOwn(row, key));
  const advice = "--columns names the columns to use, such as --columns text=body";
  if (mark !== undefined) {
    const { required } = kinds.find((kind) => kind.required.includes(mark))!;
    const missing = required.find((key) => !Object.hasOwn(row, key));
    if (missing !== undefined) return `has "${mark}" without "${missing}"`;
  }
  if (keys.length === 0) return "has no keys";
  const hint = keys.map((key) => didYouMean(key, marks)).find((each) => each !== "");
  return `has only the keys ${keys.map((key) => `"${key}"`).join(", ")}.${hint ?? ` ${advice}`}`;
}
