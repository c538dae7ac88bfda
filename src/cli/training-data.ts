/** What a run is trained and evaluated on, and the model that fits it, without its weights. */

import { type AdapterFacts, headFrom } from "../auto/adapter-facts.ts";
import { readJson } from "../checkpoint/checkpoint.ts";
import { openSource } from "../checkpoint/open.ts";
import { FormatError, UnsupportedError } from "../core/errors.ts";
import type { ValuesOf } from "../core/options.ts";
import type { Task } from "../core/task.ts";
import { classCounts, expectTrainedClasses } from "../data/classes.ts";
import type { dataOptions, splitOptions } from "../data/data-options.ts";
import type { Example } from "../data/examples.ts";
import { type Row, taskOfRows } from "../data/known-tasks.ts";
import type { lengthOptions } from "../data/length-options.ts";
import { oddClasses } from "../data/odd-classes.ts";
import { type ExamplePreview, previewExample } from "../data/preview-example.ts";
import { splitRows } from "../data/split-rows.ts";
import type { RawConfig } from "../nn/config.ts";
import { labelConfig, labelNames } from "../nn/tasks/label-names.ts";
import type { Model } from "../nn/tasks/model.ts";
import type { KeptWeights } from "../nn/tensors/kept-dtype.ts";
import { AutoTokenizer } from "../text/auto-tokenizer.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { configForLabels, examplesOf, rowsOf } from "./data.ts";
import { type EngineLike, measuredBase } from "./memory.ts";
import { expectModel } from "./paths/mistaken-paths.ts";
import { notice } from "./terminal.ts";

/** The flags that say what is read, and for which model. */
export interface DataFlags
  extends ValuesOf<typeof dataOptions>,
    ValuesOf<typeof splitOptions>,
    ValuesOf<typeof lengthOptions> {
  readonly model: string;
  readonly data: readonly string[];
  readonly valid: readonly string[] | null;
  readonly test?: readonly string[] | null;
  readonly task: Task | null;
  readonly weights: KeptWeights;
}

export interface TrainingData {
  readonly train: Example[];
  readonly valid: Example[] | null;
  readonly test: Example[] | null;
  readonly task: Task | null;
  /** How the model is loaded so that its head fits the labels. */
  readonly loading: Loading;
  /** The model, in an engine that holds nothing. */
  readonly shapes: Model;
}

type Loading = Parameters<typeof measuredBase>[3] & {
  readonly weights: KeptWeights;
  readonly trainable: boolean;
  readonly seed: number;
};

export interface DataContext {
  readonly engine: EngineLike;
  readonly seed: number;
  /** Whether every weight is trained. */
  readonly trainable: boolean;
  /** What an adapter to continue says of the model. */
  readonly told: Pick<AdapterFacts, "task" | "config"> | null;
}

/** Reads the data, decides on task and head, and encodes the rows. */
export async function trainingData(flags: DataFlags, context: DataContext): Promise<TrainingData> {
  const { engine, seed, trainable, told } = context;
  expectModel(flags.model);
  const { rows, validRows, testRows } = await readParts(flags, seed);
  const task = flags.task ?? told?.task ?? taskOfRows(rows);
  const known = flags.validSplit > 0 ? [...rows, ...(validRows ?? [])] : rows; // a class of --valid alone is not learned
  const config = told?.config ?? (await headConfig(flags, known, task));
  const head = told === null ? { config, ignoreMismatchedSizes: true } : headFrom(told); // the head is for the labels of the data
  const loading = { ...head, weights: flags.weights, trainable, seed };
  const shapes = await measuredBase(flags.model, engine, task, loading);
  const { model: modelFolder, maxLength, maxTargetLength, labelsCut, trainOn } = flags;
  const limits = { modelFolder, maxLength, maxTargetLength, labelsCut, trainOn };
  const train = await examplesOf(flags.data, rows, shapes, limits);
  const valid = validRows === null ? null : await examplesOf(flags.valid ?? flags.data, validRows, shapes, limits);
  const test = testRows === null ? null : await examplesOf(flags.test ?? [], testRows, shapes, limits);
  checkClasses(flags, { train, valid, test }, shapes);
  return { train, valid, test, task, loading, shapes };
}

/** Refuses classes of --valid and --test that were not learned, unless --labels names them, and points out odd ones. */
function checkClasses(
  flags: DataFlags,
  { train, valid, test }: Pick<TrainingData, "train" | "valid" | "test">,
  { labelNames }: Model,
): void {
  if (labelNames === null) return;
  if (flags.labels === null) {
    if (flags.valid !== null) expectTrainedClasses(train, valid ?? [], labelNames, "--valid");
    expectTrainedClasses(train, test ?? [], labelNames, "--test");
  }
  for (const odd of oddClasses(classCounts(train, labelNames) ?? new Map())) notice(odd);
}

interface Parts {
  readonly rows: Row[];
  readonly validRows: Row[] | null;
  readonly testRows: Row[] | null;
}

async function readParts(flags: DataFlags, seed: number): Promise<Parts> {
  const all = await rowsOf(flags.data, flags.model, flags);
  const testRows = !flags.test ? null : await rowsOf(flags.test, flags.model, flags, "--test");
  if (flags.validSplit > 0) {
    const { train, valid } = splitRows(all, flags.validSplit, seed);
    return { rows: train, validRows: valid, testRows };
  }
  const validRows = flags.valid === null ? null : await rowsOf(flags.valid, flags.model, flags, "--valid");
  return { rows: all, validRows, testRows };
}

/** What the model's config must say to fit the labels: nothing if the model's own labels do. */
async function headConfig(flags: DataFlags, rows: readonly Row[], task: Task | null): Promise<RawConfig> {
  if (task === null) return {};
  const wanted = configForLabels(rows, task);
  const asked = flags.labels === null ? wanted : { ...wanted, ...labelConfig(flags.labels) };
  const names = labelNames(wanted);
  if (names === null) return expectNoLabels(flags, task, wanted);
  const own = await ownLabels(flags.model);
  if (flags.labels !== null || own === null) return asked;
  const isNumbered = names.every((name, i) => name === `LABEL_${i}`);
  const { problem_type: problem } = wanted;
  const fits = isNumbered ? fitsNumbers(names, own, problem) : names.every((name) => own.includes(name));
  if (!fits) return asked;
  return problem === "multi_label_classification" ? { problem_type: problem } : {};
}

/** Whether a head with these names takes labels that are numbers: those of the data may be fewer, unless each row lists all. */
function fitsNumbers(names: readonly string[], own: readonly string[], problem: unknown): boolean {
  const fewer = names.length < own.length;
  if (names.length > own.length || problem === "regression") return false;
  if (problem === "multi_label_classification" && fewer) return false;
  const meanings = names.map((_, i) => `${i} is "${own[i]}"`).join(", ");
  const unused = fewer ? `; the data has ${names.length} of its ${own.length} classes` : "";
  if (fewer || names.some((name, i) => name !== own[i]))
    notice(`labels are the model's: ${meanings}${unused} (--labels makes another head)`);
  return true;
}

function expectNoLabels(flags: DataFlags, task: Task, config: RawConfig): RawConfig {
  if (flags.labels === null) return config;
  throw new FormatError(`--labels names classes, but ${task} has none here`);
}

async function ownLabels(model: string): Promise<string[] | null> {
  const source = openSource(model);
  try {
    return labelNames((await readJson(source, "config.json")) as RawConfig);
  } finally {
    await source.close();
  }
}

/** The first examples to train on, as people can look at them. */
export async function previewsOf(
  { train, shapes }: TrainingData,
  model: string,
  count: number,
): Promise<ExamplePreview[]> {
  const { task, labelNames } = shapes;
  const shown = train.slice(0, count);
  const isText = shown.some(({ inputIds }) => inputIds.length > 0);
  const tokenizer = isText ? await tokenizerOrNull(model) : null;
  return shown.map((example) => previewExample(example, { task, tokenizer, labelNames }));
}

/** The tokenizer of a folder, or null where it has none: rows of tokens need none. */
async function tokenizerOrNull(model: string): Promise<Tokenizer | null> {
  try {
    return await AutoTokenizer.fromPretrained(model);
  } catch (error) {
    if (error instanceof FormatError || error instanceof UnsupportedError) return null;
    throw error;
  }
}
