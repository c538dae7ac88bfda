import { openSource } from "../checkpoint/open.ts";
import type { ImageConfig } from "../image/preprocess.ts";
import type { RowFiles } from "../tasks/kit/define-row.ts";
import { labelNamesOf, problemTypeOf } from "../tasks/kit/labels.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type EncodeRowsOptions, type Example, encodeRows } from "./examples.ts";
import { kindOfRow } from "./known-tasks.ts";
import { malformed, parseRows, type Row, type RowProblem } from "./rows.ts";

/** What a trainer takes: examples in the order of the file. */
export type Dataset = readonly Example[];

/** How rows become examples. */
export interface LoadDatasetOptions
  extends Omit<EncodeRowsOptions, "tokenizer" | "vocabSize" | "contextLength" | "inputKinds"> {
  /** What is done to files that rows name: the model's preprocessor_config.json, for images read by `readImageConfig`. */
  readonly imageConfig?: ImageConfig | null;
}

/** What examples must fit: a model, for instance. */
export interface ExampleLimits extends Pick<EncodeRowsOptions, "inputKinds"> {
  readonly vocabSize: number;
  readonly contextLength: number | null;
}

/**
 * Rows of a .jsonl or .txt file in a folder or at a URL, with what is in files that they name (the pixels of images) in place
 * of the names if `preparation` says how to make it: what `readImageConfig` gives. Throws one FormatError that lists everything
 * wrong in the file.
 *
 * @example
 * const rows = await readRows("reviews.jsonl");
 * const labelNames = labelNamesOf(rows);
 */
export async function readRows(path: string, preparation: unknown = null): Promise<Row[]> {
  const at = path.lastIndexOf("/");
  const source = openSource(at < 0 ? "." : path.slice(0, at) || "/");
  try {
    const rows = parseRows(path, await source.read(path.slice(at + 1)));
    if (preparation === null) return rows;
    const problems: RowProblem[] = [];
    const read: Row[] = [];
    for (const row of rows) {
      const found = await withFiles(row, { read: (file) => source.read(file), preparation });
      if (typeof found === "string") problems.push({ line: row.line, problem: found });
      else read.push(found);
    }
    if (problems.length > 0) throw malformed(path, problems, "Correct these rows, or take them out.");
    return read;
  } finally {
    await source.close();
  }
}

/** A row with the contents of the files that it names, any other row as it is, or what is wrong with a file. */
async function withFiles(row: Row, files: RowFiles): Promise<Row | string> {
  const { files: reading } = kindOfRow(row);
  return reading === undefined ? row : ((await reading.load(row, files)) as Row | string);
}

/**
 * The dataset of a .jsonl or .txt file in a folder or at a URL. A tokenizer given as a function is loaded only if some row is
 * text. Without `labelNames` and `problemType` they are what the file's own labels suggest. Throws one FormatError that
 * lists everything wrong in the file.
 *
 * @example
 * const trainDataset = await loadDataset("train.jsonl", tokenizer, model, { maxLength: 256 });
 */
export async function loadDataset(
  path: string,
  tokenizer: Tokenizer | (() => Promise<Tokenizer>) | null,
  { vocabSize, contextLength, inputKinds = [] }: ExampleLimits,
  { imageConfig = null, ...options }: LoadDatasetOptions = {},
): Promise<Dataset> {
  const rows = await readRows(path, imageConfig);
  const isText = rows.some((row) => kindOfRow(row).isText);
  const loaded = typeof tokenizer !== "function" ? tokenizer : isText ? await tokenizer() : null;
  const problemType = options.problemType ?? problemTypeOf(rows);
  const labelNames = options.labelNames ?? (options.task === undefined ? null : labelNamesOf(rows, problemType));
  const limits = { vocabSize, contextLength, inputKinds };
  return encodeRows(path, rows, { ...options, ...limits, tokenizer: loaded, problemType, labelNames });
}
