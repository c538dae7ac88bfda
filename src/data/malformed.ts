import { FormatError } from "../core/errors.ts";

/** What is wrong with one row. */
export interface RowProblem {
  readonly line: number;
  /** Its file, where several were read together. */
  readonly file?: string | undefined;
  readonly problem: string;
}

const REPORTED = 20;

/** The error that lists what is wrong with a file, row by row: the first 20 in full, the others counted. */
export function malformed(file: string, problems: readonly RowProblem[], advice: string): FormatError {
  const count = problems.length === 1 ? "1 row" : `${problems.length} rows`;
  const lines = problems
    .slice(0, REPORTED)
    .map(({ line, problem, file: own = file }) => `  ${own}:${line}: ${problem}`);
  if (problems.length > REPORTED) lines.push(`  and ${problems.length - REPORTED} more`);
  return new FormatError([`data file "${file}" cannot be used because of ${count}`, ...lines, advice].join("\n"));
}
