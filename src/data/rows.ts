/**
 * What a person puts into a data file, before any tokenizer sees it.
 *
 * JSON Lines (.jsonl, .ndjson, .json): one row a line, blank lines skipped; the files of src/tasks/ say which rows there are.
 * Plain text (.txt): the whole file is one document, later cut into windows.
 */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import type { Row } from "./known-tasks.ts";
import { readRow, shapes } from "./read-row.ts";

export type { Row } from "./known-tasks.ts";

/** What is wrong with one row. */
export interface RowProblem {
  readonly line: number;
  readonly problem: string;
}

const REPORTED = 20;
const NEWLINE = 10;

/**
 * Reads a data file, given by name (its ending decides the format) and contents in UTF-8. Throws one FormatError that
 * lists every malformed row, or says that there is none; UnsupportedError for another ending.
 *
 * @example
 * const rows = parseRows("train.jsonl", bytes);
 */
export function parseRows(file: string, bytes: Uint8Array): Row[] {
  const ending = /\.[^./\\]*$/.exec(file.toLowerCase())?.[0] ?? "";
  if (ending === ".txt") return parseDocument(file, bytes);
  if ([".jsonl", ".ndjson", ".json"].includes(ending)) return parseJsonLines(file, bytes);
  throw new UnsupportedError(
    `data file "${file}" ends in "${ending}", which is not read: ` +
      `give JSON Lines (.jsonl) with rows such as ${shapes()[0]}, or plain text (.txt)`,
  );
}

/** The error that lists what is wrong with a file, row by row: the first 20 in full, the others counted. */
export function malformed(file: string, problems: readonly RowProblem[], advice: string): FormatError {
  const count = problems.length === 1 ? "1 row" : `${problems.length} rows`;
  const lines = problems.slice(0, REPORTED).map(({ line, problem }) => `  ${file}:${line}: ${problem}`);
  if (problems.length > REPORTED) lines.push(`  and ${problems.length - REPORTED} more`);
  return new FormatError([`data file "${file}" cannot be used because of ${count}`, ...lines, advice].join("\n"));
}

function parseDocument(file: string, bytes: Uint8Array): Row[] {
  const text = decodeUtf8(bytes);
  if (text === null) throw new FormatError(`data file "${file}" is not UTF-8 text`);
  if (text.trim() === "") throw empty(file);
  return [{ line: 1, kind: "document", text }];
}

function parseJsonLines(file: string, bytes: Uint8Array): Row[] {
  const rows: Row[] = [];
  const problems: RowProblem[] = [];
  let line = 0;
  for (const piece of splitLines(bytes)) {
    line++;
    const text = decodeUtf8(piece);
    if (text?.trim() === "") continue;
    const content = text === null ? "not UTF-8 text" : readRow(text);
    if (typeof content === "string") problems.push({ line, problem: content });
    else rows.push({ line, ...content } as Row);
  }
  if (problems.length > 0) throw malformed(file, problems, `Each line should be one of ${shapes().join(", ")}.`);
  if (rows.length === 0) throw empty(file);
  return rows;
}

function empty(file: string): FormatError {
  return new FormatError(
    `data file "${file}" is empty: it should have at least one row, such as ${shapes()[0]}, or some plain text`,
  );
}

/** Lines as bytes: a file may be longer than the longest string. */
function* splitLines(bytes: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  while (start < bytes.length) {
    const found = bytes.indexOf(NEWLINE, start);
    const end = found < 0 ? bytes.length : found;
    yield bytes.subarray(start, end);
    start = end + 1;
  }
}

/** Text without its byte order mark, or null. */
function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
