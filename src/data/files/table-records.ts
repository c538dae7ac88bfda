/** Tables of text (.csv, .tsv): the first line names the columns. */
import { FormatError } from "../../core/errors.ts";
import { parsePythonJson } from "../../core/python-json.ts";
import type { JsonRow } from "../../tasks/kit/define-row.ts";
import type { FileRecord } from "./record.ts";

export interface TableOptions {
  /** Whether tabs divide cells. */
  readonly isTabbed: boolean;
  isText(column: string): boolean;
}

/** A row of cells, and the line on which it begins. */
interface Cells {
  readonly line: number;
  readonly cells: readonly string[];
}

/**
 * The rows of a table. A column that `isText` keeps its cells as they are; the cells of another are numbers, lists and objects if
 * all of them read as JSON, and an empty one is left out.
 */
export async function tableRecords(
  file: string,
  text: string,
  { isTabbed, isText }: TableOptions,
): Promise<FileRecord[]> {
  const rows = await cellsOf(file, text, isTabbed ? "\t" : delimiterOf(text));
  const [head, ...body] = rows;
  const columns = (head?.cells ?? []).map((name) => name.trim());
  const twice = columns.find((name, i) => columns.indexOf(name) < i);
  if (twice !== undefined) throw new FormatError(`data file "${file}" has two columns "${twice}"`);
  const values = columns.map((name, i) => !isText(name) && body.every(({ cells }) => isValue(cells[i] ?? "")));
  return body.map(({ line, cells }) => {
    if (cells.length !== columns.length)
      return { line, row: `has ${cells.length} cells, but the first line names ${columns.length} columns` };
    const read = (parse: (cell: string) => unknown): JsonRow => {
      const entries = columns.map((name, i) => [name, values[i] ? parse(cells[i]!) : cells[i]!] as const);
      return Object.fromEntries(entries.filter(([name], i) => cells[i] !== "" || isText(name)));
    };
    const row = read((cell) => (cell === "" ? null : JSON.parse(cell)));
    return { line, row, exact: () => read((cell) => (cell === "" ? null : parsePythonJson(cell))) };
  });
}

/** Whether a cell is empty or says a number, list or object. */
function isValue(cell: string): boolean {
  if (cell === "") return true;
  if (!/^[\s]*[-\d[{]/.test(cell)) return false;
  try {
    JSON.parse(cell);
    return true;
  } catch {
    return false;
  }
}

/** What divides cells: a comma, unless the first line has none and has semicolons (as Excel writes in some countries) or tabs. */
function delimiterOf(text: string): string {
  const [head = ""] = text.split(/\r?\n/, 1);
  return [",", ";", "\t"].find((mark) => head.includes(mark)) ?? ",";
}

async function cellsOf(file: string, text: string, delimiter: string): Promise<Cells[]> {
  const { default: papa } = await import("papaparse");
  const rows: Cells[] = [];
  let [line, at] = [1, 0];
  papa.parse<string[]>(text, {
    delimiter,
    step({ data: cells, errors, meta }) {
      const [wrong] = errors;
      if (wrong) throw new FormatError(`data file "${file}" cannot be read: line ${line}: ${wrong.message}`);
      if (cells.length > 1 || cells[0] !== "") rows.push({ line, cells });
      line += newlines(text, at, meta.cursor);
      at = meta.cursor;
    },
  });
  return rows;
}

function newlines(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf("\n", from); at >= 0 && at < to; at = text.indexOf("\n", at + 1)) count++;
  return count;
}
