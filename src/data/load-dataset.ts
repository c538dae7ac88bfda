import type { ImageConfig } from "../image/preprocess.ts";
import { labelNamesOf, problemTypeOf } from "../tasks/kit/labels.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { EncodeRowsOptions, Example } from "./examples.ts";
import type { Row } from "./known-tasks.ts";
import type { ReadRowsOptions } from "./read-files.ts";
import type { RowChoice } from "./read-row.ts";

/** What a trainer takes: examples in the order of the file. */
export type Dataset = readonly Example[];

/** How rows become examples. */
export interface LoadDatasetOptions
  extends Omit<EncodeRowsOptions, "tokenizer" | "vocabSize" | "contextLength" | "inputKinds">,
    Pick<ReadRowsOptions, "columns" | "hub" | "maxPixels" | "maxUnpackedBytes"> {
  /** What is done to files that rows name: the model's preprocessor_config.json, for images read by `readImageConfig`. */
  readonly imageConfig?: ImageConfig | null;
}

/** What examples must fit: a model, for instance, with its task and its labels. */
export interface ExampleLimits extends Pick<EncodeRowsOptions, "inputKinds" | "task" | "labelNames" | "problemType"> {
  readonly vocabSize: number;
  readonly contextLength: number | null;
}

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
  const { readFiles } = await import("./read-files.ts");
  return readFiles(paths, options);
}

/**
 * The rows of a data file, given by name (its ending decides the format) and contents. Throws one FormatError that lists every
 * malformed row, or says that there is none; UnsupportedError for another ending.
 *
 * @example
 * const rows = await parseRows("train.jsonl", bytes);
 */
export async function parseRows(file: string, bytes: Uint8Array, choice: RowChoice = {}): Promise<Row[]> {
  const rows = await import("./rows.ts");
  return rows.parseRows(file, bytes, choice);
}

/**
 * The dataset of data files, which are given as `readRows` takes them. A tokenizer given as a function is loaded only if some row is
 * text. Without `task`, `labelNames` and `problemType` they are those of the model in `limits`; labels that it does not name are as
 * the data suggests. Throws one FormatError that
 * lists everything wrong in the file.
 *
 * @example
 * const trainDataset = await loadDataset("train.jsonl", tokenizer, model, { maxLength: 256 });
 */
export async function loadDataset(
  paths: string | readonly string[],
  tokenizer: Tokenizer | (() => Promise<Tokenizer>) | null,
  limits: ExampleLimits,
  { imageConfig = null, columns = null, hub = {}, maxPixels, maxUnpackedBytes, ...options }: LoadDatasetOptions = {},
): Promise<Dataset> {
  const { vocabSize, contextLength, inputKinds = [] } = limits;
  const task = options.task ?? limits.task;
  const limited = { ...(maxPixels && { maxPixels }), ...(maxUnpackedBytes && { maxUnpackedBytes }) };
  const rows = await readRows(paths, { preparation: imageConfig, task: task ?? null, columns, hub, ...limited });
  const [{ encodeRows: encode }, { kindOfRow, taskDefinition }] = await Promise.all([
    import("./examples.ts"),
    import("./known-tasks.ts"),
  ]);
  const isText = rows.some((row) => kindOfRow(row).isText);
  const loaded = typeof tokenizer !== "function" ? tokenizer : isText ? await tokenizer() : null;
  const problemType = options.problemType ?? limits.problemType ?? problemTypeOf(rows);
  const hasClasses = task !== undefined && taskDefinition(task).classes !== undefined;
  const ofData = !hasClasses ? null : labelNamesOf(rows, problemType);
  const labelNames = options.labelNames ?? (isNamed(limits.labelNames) ? limits.labelNames : ofData);
  const fit = { vocabSize, contextLength, inputKinds, ...(task !== undefined && { task }) };
  return encode([paths].flat()[0] ?? "", rows, { ...options, ...fit, tokenizer: loaded, problemType, labelNames });
}

/** Whether a model names its labels: numbered ones are what every config has. */
function isNamed(names: readonly string[] | null | undefined): names is readonly string[] {
  return (names ?? []).some((name, i) => name !== `LABEL_${i}`);
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
  const examples = await import("./examples.ts");
  return examples.encodeRows(file, rows, options);
}
