import { openSource } from "../checkpoint/open.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type Example, encodeRows } from "./examples.ts";
import { parseRows } from "./rows.ts";

/** How rows become examples. */
export interface LoadExamplesOptions {
  /** Cut longer rows off after this many tokens. Without it a row longer than the model's context is an error. */
  readonly maxLength?: number | null;
  /** Take rows that have nothing to learn as well: to compute with, not to measure. */
  readonly unlabelled?: boolean;
}

/** What examples must fit: a model, for instance. */
export interface ExampleLimits {
  readonly vocabSize: number;
  readonly contextLength: number;
}

/**
 * Examples of a .jsonl or .txt file in a folder or at a URL. A tokenizer given as a function is loaded only if some row is
 * text. Throws one FormatError that lists everything wrong in the file.
 *
 * @example
 * const examples = await loadExamples("train.jsonl", tokenizer, model, { maxLength: 256 });
 */
export async function loadExamples(
  path: string,
  tokenizer: Tokenizer | (() => Promise<Tokenizer>),
  { vocabSize, contextLength }: ExampleLimits,
  { maxLength = null, unlabelled = false }: LoadExamplesOptions = {},
): Promise<Example[]> {
  const at = path.lastIndexOf("/");
  const source = openSource(at < 0 ? "." : path.slice(0, at) || "/");
  const rows = parseRows(path, await source.read(path.slice(at + 1)));
  await source.close();
  const isText = rows.some(({ kind }) => kind !== "tokens");
  const loaded = typeof tokenizer !== "function" ? tokenizer : isText ? await tokenizer() : null;
  return encodeRows(path, rows, { tokenizer: loaded, vocabSize, contextLength, maxLength, unlabelled });
}
