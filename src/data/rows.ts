/**
 * What a person puts into a data file, before any tokenizer sees it.
 *
 * JSON Lines (.jsonl, .ndjson, .json): one row a line, blank lines skipped, told apart by their keys:
 *   {"text"}                    learn all of it
 *   {"prompt", "completion"}    learn the completion
 *   {"messages", "tools"?}      a conversation: learn what the assistant says
 *   {"input_ids", "labels"?}    tokens as they are; labels are aligned with them, -100 is not learnt
 * Other keys are ignored. Plain text (.txt): the whole file is one document, later cut into windows.
 */
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { didYouMean } from "../core/similar.ts";
import type { Message } from "../text/chat.ts";

/** One row, with the line it stands on, counted from 1. */
export type Row = { readonly line: number } & RowContent;

type RowContent =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "document"; readonly text: string }
  | { readonly kind: "completion"; readonly prompt: string; readonly completion: string }
  | { readonly kind: "chat"; readonly messages: readonly Message[]; readonly tools: readonly unknown[] | null }
  | { readonly kind: "tokens"; readonly inputIds: readonly number[]; readonly labels: readonly number[] | null };

/** What is wrong with one row. */
export interface RowProblem {
  readonly line: number;
  readonly problem: string;
}

type JsonRow = Readonly<Record<string, unknown>>;

const SHAPES = '{"text"}, {"prompt", "completion"}, {"messages", "tools"?} or {"input_ids", "labels"?}';
const MARKS = ["text", "prompt", "completion", "messages", "input_ids"];
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
      `give JSON Lines (.jsonl) with rows ${SHAPES}, or plain text (.txt)`,
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
    const content = text === null ? "not UTF-8 text" : parseRow(text);
    if (typeof content === "string") problems.push({ line, problem: content });
    else rows.push({ line, ...content });
  }
  if (problems.length > 0) throw malformed(file, problems, `Each line should be one of ${SHAPES}.`);
  if (rows.length === 0) throw empty(file);
  return rows;
}

function empty(file: string): FormatError {
  return new FormatError(
    `data file "${file}" is empty: it should have at least one row, ${SHAPES}, or some plain text`,
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

/** One row, or what is wrong with it. */
function parseRow(text: string): RowContent | string {
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (cause) {
    return `not JSON: ${cause instanceof Error ? cause.message : cause}`;
  }
  if (typeof row !== "object" || row === null || Array.isArray(row))
    return `should be a JSON object, found ${kindOf(row)}`;
  return readShape(row as JsonRow);
}

function readShape(row: JsonRow): RowContent | string {
  const marks = MARKS.filter((key) => key in row);
  switch (marks.join("+")) {
    case "text":
      return typeof row.text === "string" ? { kind: "text", text: row.text } : notText(row, "text");
    case "prompt+completion":
      return readCompletion(row);
    case "messages":
      return readChat(row);
    case "input_ids":
      return readTokens(row);
    case "prompt":
    case "completion":
      return `has "${marks[0]}" without "${marks[0] === "prompt" ? "completion" : "prompt"}"`;
    case "": {
      const keys = Object.keys(row);
      const found = keys.length === 0 ? "has no keys" : `has only the keys ${keys.map((key) => `"${key}"`).join(", ")}`;
      return `${found}.${keys.map((key) => didYouMean(key, MARKS)).find((hint) => hint !== "") ?? ""}`;
    }
    default:
      return `has ${marks.map((key) => `"${key}"`).join(" and ")}, which belong to different kinds of rows`;
  }
}

function readCompletion(row: JsonRow): RowContent | string {
  const { prompt, completion } = row;
  if (typeof prompt !== "string") return notText(row, "prompt");
  if (typeof completion !== "string") return notText(row, "completion");
  return { kind: "completion", prompt, completion };
}

function readChat({ messages, tools = null }: JsonRow): RowContent | string {
  if (!Array.isArray(messages) || messages.length === 0)
    return `"messages" should be a list of messages, found ${kindOf(messages)}`;
  if (tools !== null && !Array.isArray(tools)) return `"tools" should be a list, found ${kindOf(tools)}`;
  for (const [i, message] of messages.entries()) {
    const role = message?.role;
    if (typeof role !== "string") return `"messages"[${i}] should be an object with a "role", found ${kindOf(message)}`;
    if (!("content" in message) && !("tool_calls" in message)) return `"messages"[${i}] (${role}) has no "content"`;
  }
  if (!messages.some((message) => message.role === "assistant"))
    return '"messages" has no turn of the "assistant" to learn from';
  return { kind: "chat", messages, tools };
}

function readTokens({ input_ids: inputIds, labels = null }: JsonRow): RowContent | string {
  const wrong = wrongTokens("input_ids", inputIds, 0);
  if (wrong !== null) return wrong;
  const ids = inputIds as number[];
  if (labels === null) return { kind: "tokens", inputIds: ids, labels: null };
  const wrongLabels = wrongTokens("labels", labels, -100);
  if (wrongLabels !== null) return wrongLabels;
  const known = labels as number[];
  if (known.length !== ids.length)
    return `"labels" has ${known.length} numbers and "input_ids" ${ids.length}, they should be aligned`;
  return { kind: "tokens", inputIds: ids, labels: known };
}

/** What is wrong with a list of token numbers, of which `ignored` may be below 0, or null. */
function wrongTokens(key: string, ids: unknown, ignored: number): string | null {
  if (!Array.isArray(ids) || ids.length === 0)
    return `"${key}" should be a list of whole numbers, found ${kindOf(ids)}`;
  const at = ids.findIndex((id) => !Number.isInteger(id) || (id < 0 && id !== ignored));
  if (at < 0) return null;
  const wanted = ignored < 0 ? `0 or more, or ${ignored}` : "0 or more";
  return `"${key}"[${at}] should be a whole number of ${wanted}, found ${JSON.stringify(ids[at])}`;
}

function notText(row: JsonRow, key: string): string {
  return `"${key}" should be a text, found ${kindOf(row[key])}`;
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  return typeof value === "object" ? "an object" : `the ${typeof value} ${JSON.stringify(value).slice(0, 40)}`;
}
