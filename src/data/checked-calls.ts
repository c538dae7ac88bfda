/** What users call to get data, with its arguments checked: load-dataset.ts loads it on first use. */
import { anObject, anything, callback, callOptions, expectArgument, listOf } from "../core/call-options.ts";
import { FormatError, ShapeError } from "../core/errors.ts";
import { problemTypes } from "../core/labels.ts";
import { flag, type Options, oneOf, orNull, whole, wholeOrNull } from "../core/options.ts";
import { type Task, tasks } from "../core/task.ts";
import { labelNamesOf, problemTypeOf } from "../tasks/kit/labels.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { classCounts } from "./classes.ts";
import { dataOptions, splitOptions } from "./data-options.ts";
import type { Dataset, ExampleLimits, LoadDatasetOptions } from "./dataset.ts";
import { type EncodeRowsOptions, type Example, encodeRows as encode } from "./examples.ts";
import { kindOfRow, type Row, taskDefinition } from "./known-tasks.ts";
import { lengthOptions } from "./length-options.ts";
import { oddClasses } from "./odd-classes.ts";
import { type ReadRowsOptions, readFiles } from "./read-files.ts";
import type { RowChoice } from "./read-row.ts";
import { rowsFrom as fromObjects, parseRows as parse } from "./rows.ts";

const isText = (value: unknown): value is string => typeof value === "string";
const isTokenizer = (value: unknown): value is Tokenizer =>
  typeof (value as Tokenizer | null)?.encodePair === "function";

const task = orNull(oneOf(tasks, tasks[0]));
const choice = { ...dataOptions, task } satisfies Options;
const reading = { ...choice, preparation: anything(), hub: anObject("options of the hub") } satisfies Options;

/** What makes examples of rows, whatever the model. */
const encoding = {
  ...lengthOptions,
  trainOn: splitOptions.trainOn,
  task,
  labelNames: listOf("a list of names", isText),
  problemType: orNull(oneOf(problemTypes, problemTypes[0])),
  unlabelled: flag(false),
  onWarning: callback(),
} satisfies Options;

const encodeOptions = {
  ...encoding,
  tokenizer: orNull(anything()),
  vocabSize: whole(1, 1),
  contextLength: wholeOrNull(1),
  inputKinds: anything(),
} satisfies Options;

const datasetOptions = { ...encoding, ...choice, hub: reading.hub, imageConfig: anObject() } satisfies Options;

export async function readRows(paths: string | readonly string[], options: ReadRowsOptions): Promise<Row[]> {
  callOptions("readRows", reading, options);
  expectPaths("readRows", paths);
  return readFiles(paths, options);
}

export async function parseRows(file: string, bytes: Uint8Array, options: RowChoice): Promise<Row[]> {
  callOptions("parseRows", choice, options);
  expectArgument("parseRows", "the file's name", file, isText(file), 'its name, such as "train.jsonl"');
  const isBytes = bytes instanceof Uint8Array;
  expectArgument("parseRows", "the contents", bytes, isBytes, "its bytes, or rowsFrom(objects) for rows in memory");
  return parse(file, bytes, options);
}

export async function rowsFrom(objects: Iterable<object>, options: RowChoice & { name?: string }): Promise<Row[]> {
  const { name = "rows", ...rest } = options;
  callOptions("rowsFrom", choice, rest);
  const isList = typeof objects === "object" && objects !== null && Symbol.iterator in objects;
  expectArgument("rowsFrom", "the first argument", objects, isList, 'a list of objects, such as [{ text: "..." }]');
  return fromObjects(objects, rest, name);
}

export async function encodeRows(file: string, rows: readonly Row[], options: EncodeRowsOptions): Promise<Example[]> {
  callOptions("encodeRows", encodeOptions, { ...options, contextLength: finite(options?.contextLength) });
  expectArgument(
    "encodeRows",
    "the name of the rows",
    file,
    isText(file),
    'a name for messages, such as "train.jsonl"',
  );
  expectRows("encodeRows", rows);
  const { tokenizer = null } = options;
  expectArgument("encodeRows", "the tokenizer", tokenizer, tokenizer === null || isTokenizer(tokenizer), "a tokenizer");
  return encode(file, rows, options);
}

export async function loadDataset(
  from: string | readonly string[] | readonly Row[],
  tokenizer: Tokenizer | (() => Promise<Tokenizer>) | null,
  model: ExampleLimits,
  given: LoadDatasetOptions,
): Promise<Dataset> {
  callOptions("loadDataset", datasetOptions, given);
  expectModel(model);
  const isGiven = tokenizer === null || typeof tokenizer === "function" || isTokenizer(tokenizer);
  expectArgument(
    "loadDataset",
    "the second argument",
    tokenizer,
    isGiven,
    "a tokenizer, a function that loads it, or null",
  );
  const { imageConfig = null, columns = null, hub = {}, onWarning = console.warn, ...others } = given;
  const { maxPixels, maxUnpackedBytes, ...options } = others;
  const limited = { ...(maxPixels && { maxPixels }), ...(maxUnpackedBytes && { maxUnpackedBytes }) };
  const task = taskFor(model, options.task);
  const held = rowsIn(from);
  if (held === null) expectPaths("loadDataset", from);
  const rows =
    held ??
    (await readFiles(from as string | readonly string[], {
      preparation: imageConfig,
      ...limited,
      task: task ?? null,
      columns,
      hub,
    }));
  const name = held === null ? ([from].flat()[0] as string) : "rows";
  const needsTokens = rows.some((row) => kindOfRow(row).isText);
  const loaded = isTokenizer(tokenizer) ? tokenizer : needsTokens && tokenizer !== null ? await tokenizer() : null;
  const problemType = options.problemType ?? model.problemType ?? problemTypeOf(rows);
  const labelNames = labelsFor(
    name,
    rows,
    { ...model, ...(task && { task }) },
    options.labelNames ?? null,
    problemType,
  );
  const { vocabSize, contextLength, inputKinds = [] } = model;
  const fit = { vocabSize, contextLength, inputKinds, ...(task !== undefined && { task }) };
  const examples = encode(name, rows, { ...options, ...fit, tokenizer: loaded, problemType, labelNames, onWarning });
  const counts = task && taskDefinition(task).classes && labelNames ? classCounts(examples, labelNames) : null;
  for (const odd of counts === null || counts === undefined ? [] : oddClasses(counts)) onWarning(`${name}: ${odd}`);
  return examples;
}

/** The given rows, or null where they are paths. */
function rowsIn(from: string | readonly string[] | readonly Row[]): readonly Row[] | null {
  if (!Array.isArray(from) || from.length === 0 || isText(from[0])) return null;
  expectRows("loadDataset", from as readonly Row[]);
  return from as readonly Row[];
}

/** The model's task. Throws FormatError where the options name another. */
function taskFor(model: ExampleLimits, asked: Task | undefined): Task | undefined {
  if (asked === undefined || model.task === undefined || asked === model.task) return model.task ?? asked;
  throw new FormatError(
    `loadDataset: "task" is "${asked}", but the model is for ${model.task}: leave "task" out, or load the model for ${asked}`,
  );
}

/**
 * The names of the classes: the model's, so that no file numbers them anew. Throws FormatError where the model only numbers its
 * classes and the rows name them, or where other names are given than the model has; ShapeError where their count is not the head's.
 */
function labelsFor(
  name: string,
  rows: readonly Row[],
  { task, labelNames: own = null }: ExampleLimits,
  asked: readonly string[] | null,
  problemType: EncodeRowsOptions["problemType"],
): readonly string[] | null {
  if (task === undefined || taskDefinition(task).classes === undefined) return asked;
  if (own === null) return asked ?? labelNamesOf(rows, problemType);
  const isNumbered = own.every((label, i) => label === `LABEL_${i}`);
  if (asked !== null && asked.length !== own.length)
    throw new ShapeError(
      `loadDataset: "labelNames" has ${asked.length} names, but the model's head has ${own.length} outputs`,
    );
  if (asked !== null && !isNumbered && asked.some((label, i) => label !== own[i]))
    throw new FormatError(
      `loadDataset: "labelNames" is ${JSON.stringify(asked)}, but the model's classes are ${JSON.stringify(own)}: leave it out`,
    );
  const named = asked === null && isNumbered && problemType !== "regression" ? namesIn(rows, problemType) : null;
  if (named === null) return asked ?? own;
  const id2label = JSON.stringify(Object.fromEntries(named.entries()));
  throw new FormatError(
    `${name} has the labels ${JSON.stringify(named)}, but the model only numbers its ${own.length} classes (LABEL_0, ...): ` +
      `load the model with config: { id2label: ${id2label} }, or give labelNames`,
  );
}

/** The names that rows have as labels, or null where these are numbers. */
function namesIn(rows: readonly Row[], problemType: EncodeRowsOptions["problemType"]): string[] | null {
  const found = labelNamesOf(rows, problemType);
  return found?.every((label, i) => label === `LABEL_${i}`) ? null : found;
}

function expectPaths(what: string, paths: unknown): void {
  const ok = [paths].flat().length > 0 && [paths].flat().every(isText);
  expectArgument(what, "the first argument", paths, ok, "a path or a list of paths");
}

function expectRows(what: string, rows: unknown): void {
  const isRow = (row: unknown) => isText((row as Row | null)?.kind) && Number.isInteger((row as Row).line);
  const ok = Array.isArray(rows) && rows.every(isRow);
  expectArgument(what, "the list of rows", rows, ok, "rows as readRows or rowsFrom(objects) give them");
}

function expectModel(model: ExampleLimits): void {
  const ok = Number.isSafeInteger(model?.vocabSize);
  expectArgument(
    "loadDataset",
    "the third argument",
    model,
    ok,
    "the model, or limits with its vocabSize and contextLength",
  );
}

/** A length that is not limited, as options write it. */
function finite(length: number | null | undefined): number | null | undefined {
  return length === Number.POSITIVE_INFINITY ? null : length;
}
