/** What a run understood of its data, as a table. */
import type { Task } from "../core/task.ts";
import { describeDataset } from "../data/describe-dataset.ts";
import type { Example } from "../data/examples.ts";
import { grouped } from "./terminal.ts";

const MOST_CLASSES = 12;

/** One line for each part of the data, and one for each class. Columns that say nothing are left out. */
export function dataTable(
  parts: Readonly<Record<string, readonly Example[] | null>>,
  task: Task,
  labelNames: readonly string[] | null,
): string {
  const given = Object.entries(parts).filter((part): part is [string, readonly Example[]] => part[1] !== null);
  const found = given.map(([name, examples]) => [name, describeDataset(examples, task, labelNames)] as const);
  const lines = [["data", "examples", "tokens", "min", "median", "max", "cut", "learned"]];
  for (const [name, { examples, tokens, cut, learned }] of found) {
    const { total, min, median, max } = tokens;
    const share = learned === null || total === 0 ? "" : `${((100 * learned) / total).toFixed(1)} %`;
    const counts = total === 0 ? ["", "", "", "", ""] : [total, min, median, max, cut].map(grouped);
    lines.push([name, grouped(examples), ...counts, share]);
  }
  const classes = classLines(found.map(([name, { classes }]) => [name, classes]));
  return [...aligned(lines), ...aligned(classes)].join("\n");
}

function classLines(parts: readonly (readonly [string, ReadonlyMap<string, number> | null])[]): string[][] {
  const known = parts.filter((part): part is readonly [string, ReadonlyMap<string, number>] => part[1] !== null);
  const names = [...(known[0]?.[1].keys() ?? [])];
  if (names.length === 0) return [];
  const rows = names
    .slice(0, MOST_CLASSES)
    .map((name) => [name, ...known.map(([, counts]) => grouped(counts.get(name)!))]);
  const more = names.length > MOST_CLASSES ? [[`and ${names.length - MOST_CLASSES} more`, ...known.map(() => "")]] : [];
  return [["class", ...known.map(([name]) => name)], ...rows, ...more];
}

/** Lines whose cells stand below each other, without columns that are empty below their heads. */
function aligned(lines: readonly (readonly string[])[]): string[] {
  const columns = (lines[0] ?? []).map((_, c) => c).filter((c) => lines.slice(1).some((line) => line[c] !== ""));
  const widths = columns.map((c) => Math.max(...lines.map((line) => line[c]!.length)));
  return lines.map((line) =>
    columns
      .map((c, i) => (i === 0 ? line[c]!.padEnd(widths[i]!) : line[c]!.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
}
