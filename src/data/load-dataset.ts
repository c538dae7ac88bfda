import { openSource } from "../checkpoint/open.ts";
import { FormatError, UnsupportedError } from "../core/errors.ts";
import { loadImage } from "../image/load-image.ts";
import { type ImageConfig, preprocess } from "../image/preprocess.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { type EncodeRowsOptions, type Example, encodeRows } from "./examples.ts";
import { labelNamesOf, problemTypeOf } from "./labels.ts";
import { malformed, parseRows, type Row, type RowProblem } from "./rows.ts";

/** What a trainer takes: examples in the order of the file. */
export type Dataset = readonly Example[];

/** How rows become examples. */
export interface LoadDatasetOptions
  extends Omit<EncodeRowsOptions, "tokenizer" | "vocabSize" | "contextLength" | "imageShape"> {
  /** What is done to images: the model's preprocessor_config.json, read by `readImageConfig`. */
  readonly imageConfig?: ImageConfig | null;
}

/** What examples must fit: a model, for instance. */
export interface ExampleLimits extends Pick<EncodeRowsOptions, "imageShape"> {
  readonly vocabSize: number;
  readonly contextLength: number | null;
}

/**
 * Rows of a .jsonl or .txt file in a folder or at a URL, with the pixels of images in place of their files' names if
 * `imageConfig` says how to make them. Throws one FormatError that lists everything wrong in the file.
 *
 * @example
 * const rows = await readRows("reviews.jsonl");
 * const labelNames = labelNamesOf(rows);
 */
export async function readRows(path: string, imageConfig: ImageConfig | null = null): Promise<Row[]> {
  const at = path.lastIndexOf("/");
  const source = openSource(at < 0 ? "." : path.slice(0, at) || "/");
  try {
    const rows = parseRows(path, await source.read(path.slice(at + 1)));
    if (imageConfig === null) return rows;
    const problems: RowProblem[] = [];
    const read: Row[] = [];
    for (const row of rows) {
      const found = await withPixels(row, (file) => source.read(file), imageConfig);
      if (typeof found === "string") problems.push({ line: row.line, problem: found });
      else read.push(found);
    }
    if (problems.length > 0) throw malformed(path, problems, "Correct these rows, or take them out.");
    return read;
  } finally {
    await source.close();
  }
}

/** An image row as pixels, any other row as it is, or what is wrong with the image. */
async function withPixels(
  row: Row,
  read: (file: string) => Promise<Uint8Array>,
  config: ImageConfig,
): Promise<Row | string> {
  if (row.kind !== "image") return row;
  const { file, ...rest } = row;
  try {
    const image = await loadImage(await read(file), `image "${file}"`);
    const pixels = preprocess(image, config);
    return { ...rest, kind: "pixels", pixels, shape: [pixels.length] };
  } catch (error) {
    if (error instanceof FormatError || error instanceof UnsupportedError) return error.message;
    throw error;
  }
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
  { vocabSize, contextLength, imageShape = null }: ExampleLimits,
  { imageConfig = null, ...options }: LoadDatasetOptions = {},
): Promise<Dataset> {
  const rows = await readRows(path, imageConfig);
  const isText = rows.some(({ kind }) => !["tokens", "image", "pixels"].includes(kind));
  const loaded = typeof tokenizer !== "function" ? tokenizer : isText ? await tokenizer() : null;
  const problemType = options.problemType ?? problemTypeOf(rows);
  const labelNames = options.labelNames ?? (options.task === undefined ? null : labelNamesOf(rows, problemType));
  const limits = { vocabSize, contextLength, imageShape };
  return encodeRows(path, rows, { ...options, ...limits, tokenizer: loaded, problemType, labelNames });
}
