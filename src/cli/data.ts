/** Reads a data file given on the command line into examples, with one error for everything that is wrong in it. */
import { basename, dirname } from "node:path";
import { openSource } from "../checkpoint/open.ts";
import { type Example, encodeRows } from "../data/examples.ts";
import { parseRows } from "../data/rows.ts";
import { AutoTokenizer } from "../text/tokenizer.ts";

export interface ReadOptions {
  /** The model's folder, where its tokenizer is. Rows that are tokens already need none. */
  readonly modelFolder: string;
  readonly vocabSize: number;
  readonly contextLength: number;
  /** Cut longer rows off after this many tokens. */
  readonly maxLength?: number | undefined;
  /** Take rows that have nothing to learn as well: to compute with, not to measure. */
  readonly unlabelled?: boolean;
}

/** Examples of a .jsonl or .txt file. */
export async function readExamples(path: string, options: ReadOptions): Promise<Example[]> {
  const { modelFolder, vocabSize, contextLength, maxLength = null, unlabelled = false } = options;
  const [folder, file] = splitPath(path);
  const rows = parseRows(path, await openSource(folder).read(file));
  const tokenizer = rows.some(({ kind }) => kind !== "tokens") ? await AutoTokenizer.fromPretrained(modelFolder) : null;
  return encodeRows(path, rows, { tokenizer, vocabSize, contextLength, maxLength, unlabelled });
}

/** Folder and file name of a path. */
export function splitPath(path: string): [folder: string, file: string] {
  return [dirname(path), basename(path)];
}
