/** What a person puts into a data file, before any tokenizer sees it: the files of src/tasks/ say which rows there are. */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { asUtf8, expectUtf8 } from "./files/decode-text.ts";
import { holdsList, jsonArray, jsonLines } from "./files/json-records.ts";
import type { FileRecord } from "./files/record.ts";
import type { Row } from "./known-tasks.ts";
import { expectColumns, type RowChoice, readRecord, shapes, textKeys } from "./read-row.ts";

export type { Row } from "./known-tasks.ts";

/** What is wrong with one row. */
export interface RowProblem {
  readonly line: number;
  /** Its file, where several were read together. */
  readonly file?: string | undefined;
  readonly problem: string;
}

const REPORTED = 20;

/** The ending of a file's name, in lower case with its dot, or "". */
function endingOf(file: string): string {
  return /\.[^./\\]*$/.exec(file.toLowerCase())?.[0] ?? "";
}

/** Endings of the files that are read, besides `.gz` after any of them. */
export const ENDINGS = [".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".txt"] as const;

/**
 * Reads a data file of JSON or plain text, given by name (its ending decides the format) and contents in UTF-8 or UTF-16. Throws
 * one FormatError that lists every malformed row, or says that there is none; UnsupportedError for another ending.
 *
 * @example
 * const rows = parseRows("train.jsonl", bytes);
 */
export function parseRows(file: string, bytes: Uint8Array, choice: RowChoice = {}): Row[] {
  const text = asUtf8(bytes);
  const ending = endingOf(file);
  if (ending === ".txt") return document(file, text);
  if (ending === ".json" && holdsList(text)) return rowsOf(file, jsonArray(file, text), choice);
  if ([".jsonl", ".ndjson", ".json"].includes(ending)) return rowsOf(file, jsonLines(text), choice);
  if (ending === ".gz" || ENDINGS.some((known) => known === ending))
    throw new UnsupportedError(`data file "${file}" is read by readRows, which loads what it takes to read ${ending}`);
  throw new UnsupportedError(
    `data file "${file}" ends in "${ending}", which is not read: ` +
      `give JSON Lines (.jsonl) with rows such as ${shapes()[0]}, ${ENDINGS.slice(2).join(", ")} or any of these with .gz`,
  );
}

/** The same for every format, with what it takes to read one loaded on demand. */
export async function loadRows(file: string, bytes: Uint8Array, choice: RowChoice = {}): Promise<Row[]> {
  const ending = endingOf(file);
  if (ending === ".gz") {
    const { gunzip } = await import("./files/gunzip.ts");
    return loadRows(file.slice(0, -ending.length), await gunzip(file, bytes), choice);
  }
  if (ending === ".parquet") {
    const { parquetRecords } = await import("./files/parquet-records.ts");
    return rowsOf(file, await parquetRecords(file, bytes), choice);
  }
  if (ending !== ".csv" && ending !== ".tsv") return parseRows(file, bytes, choice);
  const { tableRecords } = await import("./files/table-records.ts");
  const text = textKeys();
  const given = new Map(Object.entries(choice.columns ?? {}).map(([key, column]) => [column, key]));
  const isText = (column: string) => text.has(given.get(column) ?? column);
  return rowsOf(file, await tableRecords(file, expectUtf8(file, asUtf8(bytes)), isText), choice);
}

/** The error that lists what is wrong with a file, row by row: the first 20 in full, the others counted. */
export function malformed(file: string, problems: readonly RowProblem[], advice: string): FormatError {
  const count = problems.length === 1 ? "1 row" : `${problems.length} rows`;
  const lines = problems
    .slice(0, REPORTED)
    .map(({ line, problem, file: own = file }) => `  ${own}:${line}: ${problem}`);
  if (problems.length > REPORTED) lines.push(`  and ${problems.length - REPORTED} more`);
  return new FormatError([`data file "${file}" cannot be used because of ${count}`, ...lines, advice].join("\n"));
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
