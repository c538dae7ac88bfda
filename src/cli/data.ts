/** Reads a data file given on the command line into examples, with one error for everything that is wrong in it. */
import { basename, dirname } from "node:path";
import type { Example } from "../data/examples.ts";
import { type ExampleLimits, loadExamples } from "../data/load-examples.ts";
import { AutoTokenizer } from "../text/tokenizer.ts";

export interface ReadOptions extends ExampleLimits {
  /** The model's folder, where its tokenizer is. Rows that are tokens already need none. */
  readonly modelFolder: string;
  /** Cut longer rows off after this many tokens. */
  readonly maxLength?: number | undefined;
  /** Take rows that have nothing to learn as well: to compute with, not to measure. */
  readonly unlabelled?: boolean;
}

/** Examples of a .jsonl or .txt file, with the tokenizer of the model's folder. */
export function readExamples(path: string, options: ReadOptions): Promise<Example[]> {
  const { modelFolder, maxLength = null, unlabelled = false } = options;
  return loadExamples(path, () => AutoTokenizer.fromPretrained(modelFolder), options, { maxLength, unlabelled });
}

/** Folder and file name of a path. */
export function splitPath(path: string): [folder: string, file: string] {
  return [dirname(path), basename(path)];
}
