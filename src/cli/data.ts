/** Reads data files given on the command line: rows first, since their labels say what head the model needs. */
import { basename, dirname } from "node:path";
import { readText } from "../checkpoint/checkpoint.ts";
import { openSource } from "../checkpoint/open.ts";
import { FormatError } from "../core/errors.ts";
import type { Task } from "../core/task.ts";
import { type Example, encodeRows } from "../data/examples.ts";
import { labelNamesOf, problemTypeOf } from "../data/labels.ts";
import { readRows } from "../data/load-dataset.ts";
import type { Row } from "../data/rows.ts";
import { type ImageConfig, readImageConfig } from "../image/preprocess.ts";
import type { RawConfig } from "../nn/config.ts";
import { labelConfig } from "../nn/tasks/label-names.ts";
import type { Model } from "../nn/tasks/model.ts";
import { AutoTokenizer } from "../text/auto-tokenizer.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

/** A data file as rows. Images are made ready as the model's folder says. */
export async function rowsOf(path: string, modelFolder: string): Promise<Row[]> {
  const rows = await readRows(path);
  return rows.some(({ kind }) => kind === "image") ? readRows(path, await imageConfigOf(modelFolder)) : rows;
}

async function imageConfigOf(modelFolder: string): Promise<ImageConfig> {
  const source = openSource(modelFolder);
  const file = "preprocessor_config.json";
  try {
    if (await source.has(file)) return readImageConfig(await readText(source, file), `${file} of ${source.name}`);
    throw new FormatError(
      `${source.name} has no "${file}", which says how images are made ready; give pixel_values, or add it`,
    );
  } finally {
    await source.close();
  }
}

/** The task that rows are for, where their kind alone says it. */
export function taskOfRows(rows: readonly Row[]): Task | null {
  const kinds: Readonly<Record<Row["kind"], Task | null>> = {
    text: rows.some((row) => row.kind === "text" && row.label !== undefined) ? "SEQ_CLS" : null,
    tokens: rows.some((row) => row.kind === "tokens" && row.label !== undefined) ? "SEQ_CLS" : null,
    words: "TOKEN_CLS",
    question: "QUESTION_ANS",
    source: "SEQ_2_SEQ_LM",
    image: "IMAGE_CLS",
    pixels: "IMAGE_CLS",
    document: null,
    completion: null,
    chat: null,
  };
  return kinds[rows[0]!.kind];
}

/** What the config of a model must say for a head that fits the labels of these rows; nothing for other tasks. */
export function configForLabels(rows: readonly Row[], task: Task): RawConfig {
  if (!["SEQ_CLS", "TOKEN_CLS", "IMAGE_CLS"].includes(task)) return {};
  const problemType = task === "SEQ_CLS" ? problemTypeOf(rows) : null;
  const names = labelNamesOf(rows, problemType ?? undefined);
  return names === null ? {} : { ...labelConfig(names), ...(problemType && { problem_type: problemType }) };
}

export interface ReadOptions {
  /** The model's folder or hub name, where its tokenizer is. Rows that are tokens already need none. */
  readonly modelFolder: string;
  /** Cut longer rows off after this many tokens. */
  readonly maxLength?: number | undefined;
  readonly maxTargetLength?: number | undefined;
  /** Take rows that have nothing to learn as well: to compute with, not to measure. */
  readonly unlabelled?: boolean;
}

/** Rows as examples for a model, with the tokenizer of its folder. */
export async function examplesOf(
  path: string,
  rows: readonly Row[],
  model: Model,
  options: ReadOptions,
): Promise<Example[]> {
  const { modelFolder, maxLength = null, maxTargetLength = null, unlabelled = false } = options;
  const { task, vocabSize, contextLength } = model;
  const isText = rows.some(({ kind }) => !["tokens", "image", "pixels"].includes(kind));
  return encodeRows(path, rows, {
    task,
    tokenizer: isText ? await tokenizerOf(modelFolder) : null,
    vocabSize,
    contextLength: Number.isFinite(contextLength) ? contextLength : null,
    maxLength,
    maxTargetLength,
    labelNames: model.labelNames ?? numbered(model),
    problemType: model.problemType,
    imageShape: imageShapeOf(model.config),
    unlabelled,
  });
}

function tokenizerOf(modelFolder: string): Promise<Tokenizer> {
  return AutoTokenizer.fromPretrained(modelFolder);
}

/** Labels of a head whose config has no names for them. */
function numbered(model: Model): string[] | null {
  const count = "numLabels" in model ? (model.numLabels as number) : null;
  return count === null ? null : Array.from({ length: count }, (_, i) => `LABEL_${i}`);
}

/** [channels, height, width] of the model's images, null where it takes none. */
export function imageShapeOf({ num_channels, image_size }: RawConfig): [number, number, number] | null {
  if (typeof image_size !== "number") return null;
  return [typeof num_channels === "number" ? num_channels : 3, image_size, image_size];
}

/** Folder and file name of a path. */
export function splitPath(path: string): [folder: string, file: string] {
  return [dirname(path), basename(path)];
}
