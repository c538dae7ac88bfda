import { FormatError } from "../core/errors.ts";

/** What is wrong with one row. */
export interface RowProblem {
  readonly line: number;
  /** Its file, where several were read together. */
  readonly file?: string | undefined;
  readonly problem: string;
}

const REPORTED = 20;
/** So many rows with one problem stand one by one; of more only the first, with the lines of as many others. */
const ALIKE = 3;
const NAMED = 8;

/** The error that lists what is wrong with a file: each problem once, with the rows that have it; the first 20 in full, the others counted. */
export function malformed(file: string, problems: readonly RowProblem[], advice: string): FormatError {
  const count = problems.length === 1 ? "1 row" : `${problems.length} rows`;
  const groups = [...alikeProblems(problems).values()];
  const lines = groups.slice(0, REPORTED).flatMap((alike) => {
    const [{ problem }, ...others] = alike as [RowProblem, ...RowProblem[]];
    const place = ({ line, file: own = file }: RowProblem) => `${own}:${line}`;
    if (alike.length < ALIKE) return alike.map((each) => `  ${place(each)}: ${problem}`);
    const named = others.slice(0, NAMED).map(place).join(", ");
    const more = others.length > NAMED ? ` and ${others.length - NAMED} more` : "";
    return [`  ${place(alike[0]!)}: ${problem}`, `    the same in ${others.length} other rows: ${named}${more}`];
  });
  const left = groups.slice(REPORTED).reduce((sum, alike) => sum + alike.length, 0);
  if (left > 0) lines.push(`  and ${left} more`);
  return new FormatError([`data file "${file}" cannot be used because of ${count}`, ...lines, advice].join("\n"));
}

function alikeProblems(problems: readonly RowProblem[]): Map<string, RowProblem[]> {
  const found = new Map<string, RowProblem[]>();
  for (const each of problems) {
    const alike = found.get(each.problem);
    if (alike === undefined) found.set(each.problem, [each]);
    else alike.push(each);
  }
  return found;
}
