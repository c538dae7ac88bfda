import { openSource } from "../checkpoint/open.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type Example, encodeRows } from "./examples.ts";
import { parseRows } from "./rows.ts";

/** How rows become examples. */
export interface LoadExamplesOptions {
  /** Cut longer rows off after this many tokens. Without it a row longer than the model's context is an error. */
  readonly maxLength?: number | null;
}

/**
 * Examples of a .jsonl or .txt file in a folder or at a URL. Throws one FormatError that lists everything wrong in it.
 *
 * @example
 * const examples = await loadExamples("train.jsonl", tokenizer, model, { maxLength: 256 });
 */
export async function loadExamples(
  path: string,
  tokenizer: Tokenizer,
  { vocabSize, contextLength }: { readonly vocabSize: number; readonly contextLength: number },
  { maxLength = null }: LoadExamplesOptions = {},
): Promise<Example[]> {
  const at = path.lastIndexOf("/");
  const source = openSource(at < 0 ? "." : path.slice(0, at) || "/");
  const bytes = await source.read(path.slice(at + 1));
  await source.close();
  return encodeRows(path, parseRows(path, bytes), { tokenizer, vocabSize, contextLength, maxLength });
}
