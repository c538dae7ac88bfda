/** JSON Lines, one row a line, and JSON files that hold one list of rows. */
import { FormatError } from "../../core/errors.ts";
import { parsePythonJson } from "../../core/python-json.ts";
import { type JsonRow, kindOf } from "../../tasks/kit/define-row.ts";
import { decodeUtf8, expectUtf8 } from "./decode-text.ts";
import type { FileRecord } from "./record.ts";

const NEWLINE = 10;

/** The row of a JSON text. */
export function jsonRecord(line: number, text: string): FileRecord {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (cause) {
    return { line, row: `not JSON: ${cause instanceof Error ? cause.message : cause}${reasonIn(text)}` };
  }
  if (typeof row !== "object" || row === null || Array.isArray(row))
    return { line, row: `should be a JSON object, found ${kindOf(row)}` };
  return { line, row: row as JsonRow, exact: () => parsePythonJson(text) as JsonRow };
}

/** What people mistake for a row of JSON Lines, and what to do about it, or "". */
function reasonIn(text: string): string {
  const trimmed = text.trim();
  if (/^[[\]]$/.test(trimmed)) return "; a list of rows is a .json file: rename it";
  if (/^\{.*\},$/s.test(trimmed)) return "; take away the comma at its end, or make it a list in a .json file";
  return /^\{\s*'/.test(trimmed) ? "; JSON has double quotes: write it with json.dumps" : "";
}

/** The rows of JSON Lines in UTF-8. Blank lines are skipped. */
export function* jsonLines(bytes: Uint8Array): Generator<FileRecord> {
  let line = 0;
  for (const piece of splitLines(bytes)) {
    line++;
    const text = decodeUtf8(piece);
    if (text?.trim() !== "") yield text === null ? { line, row: "not UTF-8 text" } : jsonRecord(line, text);
  }
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

/** Whether a JSON file holds a list: its first character that is not a blank says so. */
export function holdsList(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
  return first === "[".charCodeAt(0);
}

/** Marks that divide a list, and strings, in which they do not. */
const MARKS = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"|[[\]{},\n]/g;

/** The rows of one list, each with the line on which it begins. Throws FormatError for a list that does not end. */
export function* jsonArray(file: string, bytes: Uint8Array): Generator<FileRecord> {
  const text = expectUtf8(file, bytes);
  let [depth, line, start, startLine] = [0, 1, 0, 1];
  for (const { 0: mark, index } of text.matchAll(MARKS)) {
    if (mark === "\n") line++;
    else if (mark === "[" || mark === "{") depth++;
    else if (mark === "]" || mark === "}") depth--;
    const ends = (mark === "," && depth === 1) || depth === 0;
    if (ends && start > 0 && text.slice(start, index).trim() !== "") {
      yield jsonRecord(startLine, text.slice(start, index));
    }
    if (depth === 0) {
      if (mark !== "\n") return expectEnd(file, text.slice(index + 1), line);
    } else if (depth === 1 && (mark === "[" || mark === ",")) [start, startLine] = [index + 1, line];
    else if (depth === 1 && mark === "\n" && text.slice(start, index).trim() === "") startLine = line;
  }
  throw new FormatError(`data file "${file}" is truncated: the list at its start does not end`);
}

function expectEnd(file: string, rest: string, line: number): void {
  if (rest.trim() === "") return;
  throw new FormatError(`data file "${file}" should end with its list, on line ${line}, but has more after it`);
}
