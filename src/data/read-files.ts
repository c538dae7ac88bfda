/** Reads data files, and what is in files that their rows name. */
import { type DataPlace, openData } from "../checkpoint/open-data.ts";
import type { HubOptions } from "../core/host.ts";
import type { RowFiles } from "../tasks/kit/define-row.ts";
import { findFiles } from "./find-files.ts";
import { kindOfRow, type Row } from "./known-tasks.ts";
import { malformed, type RowProblem } from "./malformed.ts";
import type { RowChoice } from "./read-row.ts";
import { parseRows } from "./rows.ts";

/** How data files become rows. */
export interface ReadRowsOptions extends RowChoice {
  /** How files that rows name are prepared, which are then read in place of their names: what `readImageConfig` gives for images. */
  readonly preparation?: unknown;
  /** How a data set on the hub is reached. */
  readonly hub?: HubOptions;
}

/** The rows of files, as `readRows` gives them. */
export async function readFiles(paths: string | readonly string[], options: ReadRowsOptions): Promise<Row[]> {
  const found: Row[] = [];
  const several = typeof paths !== "string" && paths.length > 1;
  for (const path of [paths].flat()) {
    const place = openData(path, options.hub);
    try {
      for (const file of await findFiles(place)) {
        const rows = await readFile(place, file, options);
        const isNamed = several || file !== place.file;
        for (const row of rows) found.push(isNamed ? { ...row, file: place.prefix + file } : row);
      }
    } finally {
      await place.source.close();
    }
  }
  return found;
}

async function readFile({ source, prefix }: DataPlace, file: string, options: ReadRowsOptions): Promise<Row[]> {
  const { preparation = null, maxPixels } = options;
  const path = prefix + file;
  const rows = await parseRows(path, await source.read(file), options);
  if (preparation === null) return rows;
  const folder = file.slice(0, file.lastIndexOf("/") + 1);
  const problems: RowProblem[] = [];
  const read: Row[] = [];
  for (const row of rows) {
    const found = await withFiles(row, { read: (name) => source.read(folder + name), preparation, maxPixels });
    if (typeof found === "string") problems.push({ line: row.line, problem: found });
    else read.push(found);
  }
  if (problems.length > 0) throw malformed(path, problems, "Correct these rows, or take them out.");
  return read;
}

/** A row with the contents of the files that it names, any other row as it is, or what is wrong with a file. */
async function withFiles(row: Row, files: RowFiles): Promise<Row | string> {
  const { files: reading } = kindOfRow(row);
  return reading === undefined ? row : ((await reading.load(row, files)) as Row | string);
}
