/**
 * Reads data files given on the command line: rows first, because their labels determine the head that the model needs.
 */
import { readText } from "../checkpoint/checkpoint.ts";
import { openSource } from "../checkpoint/open.ts";
import { FormatError } from "../core/errors.ts";
import { files, type Option, type Options, orNull } from "../core/options.ts";
import type { Task } from "../core/task.ts";
import { dataOptions } from "../data/data-options.ts";
import { type Example, encodeRows } from "../data/examples.ts";
import { kindOfRow, type Row, taskDefinition } from "../data/known-tasks.ts";
import { readRows } from "../data/load-dataset.ts";
import { encodePrompts } from "../data/prompts.ts";
import type { RowChoice } from "../data/read-row.ts";
import type { RawConfig } from "../nn/config.ts";
import { labelConfig } from "../nn/tasks/label-names.ts";
import type { Model } from "../nn/tasks/model.ts";
import type { FileReading } from "../tasks/kit/define-row.ts";
import { labelNamesOf, problemTypeOf } from "../tasks/kit/labels.ts";
import { AutoTokenizer } from "../text/auto-tokenizer.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { requiredFiles } from "./flags/options.ts";
import { expectDataFiles } from "./paths/mistaken-paths.ts";
import { notice } from "./terminal.ts";

/** What commands that read data are given. */
export const dataFlags = {
  data: requiredFiles({
    help: "data files (.jsonl, .json, .csv, .tsv, .parquet, .txt, also .gz), patterns, or hf://datasets/org/name",
    placeholder: "file",
    alsoSpelled: ["dataset", "data-path", "data-file", "train-file", "train-data"],
  }),
  ...dataOptions,
} satisfies Options;

/** --valid. */
export function validFiles(help: string): Option<readonly string[] | null> {
  const alsoSpelled = ["validation-file", "eval-file", "validation-data", "eval-data", "val-data", "validation"];
  return orNull(files({ help, placeholder: "file", alsoSpelled, common: true }));
}

/** Data files as rows. Files that rows name are read and prepared as the model's folder says. */
export async function rowsOf(
  paths: readonly string[],
  modelFolder: string,
  { task = null, columns = null, maxUnpackedBytes, maxPixels }: RowChoice = {},
  flag = "--data",
): Promise<Row[]> {
  expectDataFiles(paths, flag);
  const limits = { ...(maxUnpackedBytes && { maxUnpackedBytes }), ...(maxPixels && { maxPixels }) };
  const choice = { task, columns, ...limits };
  const rows = await readRows(paths, choice);
  const naming = rows.map((row) => kindOfRow(row).files).find((files) => files !== undefined);
  if (naming === undefined) return rows;
  return readRows(paths, { ...choice, preparation: await preparationFor(naming, modelFolder) });
}

async function preparationFor(files: FileReading, modelFolder: string): Promise<unknown> {
  const source = openSource(modelFolder);
  const file = "preprocessor_config.json";
  try {
    if (await source.has(file)) return await files.prepare(await readText(source, file), `${file} of ${source.name}`);
    throw new FormatError(
      `${source.name} has no "${file}", which specifies how to preprocess the files that rows refer to; provide pixel_values, or add the file`,
    );
  } finally {
    await source.close();
  }
}

/** The model config overrides for a head that fits the labels of these rows; none for tasks without classes. */
export function configForLabels(rows: readonly Row[], task: Task): RawConfig {
  const { classes } = taskDefinition(task);
  if (classes === undefined) return {};
  const problemType = classes === "any problem type" ? problemTypeOf(rows) : null;
  const names = labelNamesOf(rows, problemType ?? undefined);
  return names === null ? {} : { ...labelConfig(names), ...(problemType && { problem_type: problemType }) };
}

export interface ReadOptions {
  /** The model's folder or hub name, for its tokenizer. Rows that already contain token ids need none. */
  readonly modelFolder: string;
  /** Truncate longer rows to this many tokens. */
  readonly maxLength?: number | null;
  readonly maxTargetLength?: number | null;
  /** What to do about rows of which the limit cuts off all labels. */
  readonly labelsCut?: "skip" | "error";
  readonly trainOn?: "answers" | "all";
  /** Accept rows without labels as well, for computing outputs rather than measuring. */
  readonly unlabelled?: boolean;
  /** What a model that writes is to continue, instead of what it learns from. */
  readonly prompts?: boolean;
}

/** Rows as examples for a model, with the tokenizer of its folder. */
export async function examplesOf(
  paths: readonly string[],
  rows: readonly Row[],
  model: Model,
  options: ReadOptions,
): Promise<Example[]> {
  const { modelFolder, maxLength = null, maxTargetLength = null, labelsCut = "skip", unlabelled = false } = options;
  const { trainOn = "answers" } = options;
  const { task, vocabSize, contextLength } = model;
  const isText = rows.some((row) => kindOfRow(row).isText);
  const encode = options.prompts ? encodePrompts : encodeRows;
  return encode(paths[0]!, rows, {
    task,
    tokenizer: isText ? await tokenizerOf(modelFolder) : null,
    vocabSize,
    contextLength: Number.isFinite(contextLength) ? contextLength : null,
    maxLength,
    maxTargetLength,
    labelNames: model.labelNames,
    problemType: model.problemType,
    inputKinds: model.inputKinds,
    unlabelled,
    labelsCut,
    trainOn,
    onWarning: notice,
  });
}

function tokenizerOf(modelFolder: string): Promise<Tokenizer> {
  return AutoTokenizer.fromPretrained(modelFolder);
}
