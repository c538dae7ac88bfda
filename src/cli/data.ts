/** Reads a data file given on the command line into examples, with one error for everything that is wrong in it. */
import { openSource } from "../checkpoint/open.ts";
import { type Example, encodeRows } from "../data/examples.ts";
import { parseRows } from "../data/rows.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

export interface DataLimits {
  readonly vocabSize: number;
  readonly contextLength: number;
}

/** Examples of a .jsonl or .txt file. */
export async function readExamples(
  path: string,
  tokenizer: Tokenizer,
  { vocabSize, contextLength }: DataLimits,
  maxLength: number | null = null,
): Promise<Example[]> {
  const [folder, file] = splitPath(path);
  const bytes = await openSource(folder).read(file);
  return encodeRows(path, parseRows(path, bytes), { tokenizer, vocabSize, contextLength, maxLength });
}

/** Folder and file name of a path. */
export function splitPath(path: string): [folder: string, file: string] {
  const at = path.lastIndexOf("/");
  return at < 0 ? [".", path] : [path.slice(0, at) || "/", path.slice(at + 1)];
}
