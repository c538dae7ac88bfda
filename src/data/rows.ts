/** What a person puts into a data file, before any tokenizer sees it: the files of src/tasks/ say which rows there are. */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { type JsonRow, kindOf } from "../tasks/kit/define-row.ts";
import { MAX_UNPACKED } from "./data-options.ts";
import { asUtf8, expectUtf8 } from "./files/decode-text.ts";
import { gunzip } from "./files/gunzip.ts";
import { holdsList, jsonArray, jsonLines, jsonRecord } from "./files/json-records.ts";
import { parquetRecords } from "./files/parquet-records.ts";
import type { FileRecord } from "./files/record.ts";
import { tableRecords } from "./files/table-records.ts";
import type { Row } from "./known-tasks.ts";
import { malformed, type RowProblem } from "./malformed.ts";
import { expectColumns, type RowChoice, readRecord, shapes, textKeys } from "./read-row.ts";

export type { Row } from "./known-tasks.ts";

/** The ending of a file's name, in lower case with its dot, or "". */
function endingOf(file: string): string {
  return /\.[^./\\]*$/.exec(file.toLowerCase())?.[0] ?? "";
}

/** Endings of the files that are read, besides `.gz` after any of them. */
export const ENDINGS = [".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".txt"] as const;

/**
 * The rows of a data file, given by name (its ending decides the format) and contents. What it takes to read tables and Parquet is
 * loaded on demand. Throws one FormatError that lists every malformed row, or says that there is none; UnsupportedError for another
 * ending.
 */
export async function parseRows(file: string, bytes: Uint8Array, choice: RowChoice = {}): Promise<Row[]> {
  const { maxUnpackedBytes = MAX_UNPACKED } = choice;
  const isPacked = /\.gz$/i.test(file);
  const content = isPacked ? await gunzip(file, bytes, maxUnpackedBytes) : bytes;
  const ending = endingOf(isPacked ? file.slice(0, -".gz".length) : file);
  if (ending === ".parquet") return rowsOf(file, await parquetRecords(file, content, maxUnpackedBytes), choice);
  if (ending !== ".csv" && ending !== ".tsv") return parseText(file, ending, content, choice);
  const text = textKeys();
  const given = new Map(Object.entries(choice.columns ?? {}).map(([key, column]) => [column, key]));
  const isText = (column: string) => text.has(given.get(column) ?? column);
  const table = expectUtf8(file, asUtf8(content));
  return rowsOf(file, await tableRecords(file, table, { isTabbed: ending === ".tsv", isText }), choice);
}

/** Rows of objects that a program passes; messages call them `name`. */
export function rowsFrom(objects: Iterable<object>, choice: RowChoice, name: string): Row[] {
  const records = Array.from(objects, (object, i): FileRecord => {
    const isRow = typeof object === "object" && object !== null && !Array.isArray(object);
    return { line: i + 1, row: isRow ? plainRow(object) : `should be an object, found ${kindOf(object)}` };
  });
  return rowsOf(name, records, choice);
}

/** A row with lists in place of typed arrays, and without keys that are not given. */
function plainRow(row: object): JsonRow {
  const isTyped = (value: unknown): value is Int32Array => ArrayBuffer.isView(value) && !(value instanceof DataView);
  const given = Object.entries(row).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([key, value]) => [key, isTyped(value) ? Array.from(value) : value]));
}

/** The rows of a file that is not packed, of JSON or plain text. */
export function parseTextRows(file: string, bytes: Uint8Array, choice: RowChoice = {}): Row[] {
  return parseText(file, endingOf(file), bytes, choice);
}

function parseText(file: string, ending: string, bytes: Uint8Array, choice: RowChoice): Row[] {
  const text = asUtf8(bytes);
  if (ending === ".txt") return document(file, text);
  if (ending === ".json" && holdsList(text)) return rowsOf(file, jsonArray(file, text), choice);
  if (ending === ".json") expectNoObject(file, text);
  if ([".jsonl", ".ndjson", ".json"].includes(ending)) return rowsOf(file, jsonLines(text), choice);
  throw new UnsupportedError(
    `data file "${file}" ends in "${ending}", which is not read: ` +
      `give JSON Lines (.jsonl) with rows such as ${shapes()[0]}, ${ENDINGS.slice(2).join(", ")} or any of these with .gz`,
  );
}

/** Throws FormatError for a file that is one JSON object over several lines, such as `{"data": [...]}`. */
function expectNoObject(file: string, bytes: Uint8Array): void {
  const [first] = jsonLines(bytes);
  if (typeof first?.row !== "string") return;
  const { row } = jsonRecord(1, expectUtf8(file, bytes));
  if (typeof row === "string") return;
  const keys = Object.keys(row).map((key) => `"${key}"`);
  throw new FormatError(
    `data file "${file}" holds one JSON object (${keys.join(", ")}), expected a list of rows, or one row per line`,
  );
}

function document(file: string, bytes: Uint8Array): Row[] {
  const text = expectUtf8(file, bytes);
  if (text.trim() === "") throw empty(file);
  return [{ line: 1, kind: "document", text }];
}

function rowsOf(file: string, records: Iterable<FileRecord>, choice: RowChoice): Row[] {
  expectColumns(choice);
  const rows: Row[] = [];
  const problems: RowProblem[] = [];
  for (const record of records) {
    const content = readRecord(record, choice);
    if (typeof content === "string") problems.push({ line: record.line, problem: content });
    else rows.push({ line: record.line, ...content } as Row);
  }
  if (problems.length > 0) throw malformed(file, problems, `Each row should be one of ${shapes().join(", ")}.`);
  if (rows.length === 0) throw empty(file);
  return rows;
}

function empty(file: string): FormatError {
  return new FormatError(
    `data file "${file}" is empty: it should have at least one row, such as ${shapes()[0]}, or some plain text`,
  );
}
