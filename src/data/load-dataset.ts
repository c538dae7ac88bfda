import type { Tokenizer } from "../text/tokenizer.ts";
import type { Dataset, ExampleLimits, LoadDatasetOptions } from "./dataset.ts";
import type { EncodeRowsOptions, Example } from "./examples.ts";
import type { Row } from "./known-tasks.ts";
import type { ReadRowsOptions } from "./read-files.ts";
import type { RowChoice } from "./read-row.ts";

export type { Dataset, ExampleLimits, LoadDatasetOptions } from "./dataset.ts";
export type { EncodeRowsOptions } from "./examples.ts";

/**
 * Rows of one data file or several: a path or URL, a pattern in a file's name (`data/*.jsonl`), or a data set on the hub
 * (`hf://datasets/org/name`). The ending says the format: .jsonl, .json, .csv, .tsv, .parquet or .txt, each also with .gz. Throws one
 * FormatError that lists everything wrong in a file.
 *
 * @example
 * const rows = await readRows("reviews.jsonl");
 * const labelNames = labelNamesOf(rows);
 * const others = await readRows(["a.csv", "b.csv"], { columns: { text: "body", label: "class" } });
 */
export async function readRows(paths: string | readonly string[], options: ReadRowsOptions = {}): Promise<Row[]> {
  return (await calls()).readRows(paths, options);
}

/**
 * The rows of a data file, given by name (its ending decides the format) and contents. Throws one FormatError that lists every
 * malformed row, or says that there is none; UnsupportedError for another ending.
 *
 * @example
 * const rows = await parseRows("train.jsonl", bytes);
 */
export async function parseRows(file: string, bytes: Uint8Array, choice: RowChoice = {}): Promise<Row[]> {
  return (await calls()).parseRows(file, bytes, choice);
}

/**
 * The rows of objects, as a file with them would give: whatever makes them in a program needs no file. Typed arrays count as lists.
 * `name` is what messages call them. Throws one FormatError that lists every malformed row, counted from 1, or says that there is
 * none.
 *
 * @example
 * const rows = await rowsFrom([{ text: "What a lovely shop.", label: "praise" }]);
 * const trainDataset = await loadDataset(rows, tokenizer, model);
 */
export async function rowsFrom(
  objects: Iterable<object>,
  options: RowChoice & { readonly name?: string } = {},
): Promise<Row[]> {
  return (await calls()).rowsFrom(objects, options);
}

/**
 * The dataset of data files, which are given as `readRows` takes them, or of rows. A tokenizer given as a function is loaded only if
 * some row is text. Task, classes and problem type are those of `model`, so that a file that lacks a class does not number the others
 * anew; without a model to ask, those of the options, or else of the rows. Throws one FormatError that lists everything wrong in the
 * file, and FormatError where the model only numbers its classes and the rows name them.
 *
 * @example
 * const trainDataset = await loadDataset("train.jsonl", tokenizer, model, { maxLength: 256 });
 */
export async function loadDataset(
  from: string | readonly string[] | readonly Row[],
  tokenizer: Tokenizer | (() => Promise<Tokenizer>) | null,
  model: ExampleLimits,
  options: LoadDatasetOptions = {},
): Promise<Dataset> {
  return (await calls()).loadDataset(from, tokenizer, model, options);
}

/**
 * The rows of `file` as examples; the code of the tasks is loaded with the first call. Throws one FormatError that lists every row that
 * does not fit the task, is too long for the model, has a token or label the model does not know, or has nothing to learn;
 * ShapeError if `maxLength` itself does not fit the model, StateError if there is text and no tokenizer, or labels and no `labelNames`.
 *
 * @example
 * const limits = { tokenizer, vocabSize: 1024, contextLength: 512, maxLength: 256 };
 * const examples = await encodeRows("train.jsonl", rows, limits);
 * const labeled = await encodeRows("reviews.jsonl", rows, { ...limits, task: "SEQ_CLS", labelNames: labelNamesOf(rows) });
 */
export async function encodeRows(file: string, rows: readonly Row[], options: EncodeRowsOptions): Promise<Example[]> {
  return (await calls()).encodeRows(file, rows, options);
}

const calls = () => import("./checked-calls.ts");
