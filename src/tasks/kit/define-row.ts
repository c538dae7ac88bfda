/**
 * A kind of row in a data file: the keys that identify it, and how it is read. A task's file defines the kinds that are
 * its own; those that several tasks take are in src/tasks/rows/.
 */
import { shownJson } from "../../core/python-json.ts";

/** A row of JSON Lines as it was parsed. */
export type JsonRow = Readonly<Record<string, unknown>>;

/** What is in a row: `kind`, and whatever its kind has. */
export interface RowContent {
  readonly kind: string;
}

/** A class by name or number, several of them, or a value or values, as written in a row. */
export type Label = string | number | readonly (string | number)[];

/** Files beside a data file, and what the model's folder says of how to use them. */
export interface RowFiles {
  /** Contents of a file, by its path from the data file. */
  read(file: string): Promise<Uint8Array>;
  /** What `prepare` gave. */
  readonly preparation: unknown;
  /** The most pixels that an image may have. */
  readonly maxPixels?: number | undefined;
}

/** What a row needs of files beside the data file. */
export interface FileReading<C extends RowContent = RowContent> {
  /** Reads the model's preprocessor_config.json. `name` is what messages call it. */
  prepare(config: string, name: string): Promise<unknown>;
  /** The row with the file's contents in it, of whatever kind it then is, or what is wrong with the file. */
  load(row: C, files: RowFiles): Promise<RowContent | string>;
}

/** A kind of rows: its keys, and how one is read. */
export interface RowKind<C extends RowContent = RowContent> {
  readonly kind: string;
  /** Other kinds that `read` may give, under the same title. */
  readonly alsoGives?: readonly C["kind"][];
  /** What messages call one, such as "a text". */
  readonly title: string;
  /** Keys that identify a row of this kind: all must be present. Kinds may share some of them, but not all. */
  readonly required: readonly string[];
  /** Other keys that are read. Keys that are neither are ignored. */
  readonly optional: readonly string[];
  /** Those of the keys that hold text: a table has it in a cell as it is, while other cells are JSON where they read as such. */
  readonly texts?: readonly string[];
  /** Whether a template prints the values, which then have the numbers and the order of keys that Python would have. */
  readonly isTemplated?: boolean;
  /** How such rows are written, for messages. */
  readonly shapes: readonly string[];
  /** Whether a tokenizer is needed. */
  readonly isText: boolean;
  /** The row, or what is wrong with it. All `required` keys are there. */
  read?(row: JsonRow): C | string;
  readonly files?: FileReading<C>;
}

/** A row of one of some kinds, with its place. */
export type RowOf<K> = K extends RowKind<infer C> ? RowPlace & C : never;

/** Where a row is from. */
export interface RowPlace {
  readonly line: number;
  /** The file, where several were read together. */
  readonly file?: string;
  readonly taskId?: number;
}

/** Checks a kind's definition and gives it back. */
export function defineRow<C extends RowContent>(definition: RowKind<C>): RowKind<C> {
  return definition;
}

/** The row with its "label", if it has one. */
export function withLabel<C extends RowContent>(
  content: C,
  { label = null }: JsonRow,
): (C & { label?: Label }) | string {
  if (label === null) return content;
  return wrongLabel(label) ?? { ...content, label: label as Label };
}

/** What is wrong with a "label", or null. */
function wrongLabel(label: unknown): string | null {
  const plain = (value: unknown) => typeof value === "string" || (typeof value === "number" && Number.isFinite(value));
  if (plain(label)) return null;
  const expected = '"label" should be a name, a number, or a list of names or of numbers';
  if (!Array.isArray(label)) return `${expected}, found ${shownJson(label).slice(0, 40)}`;
  const one = label.every((each) => plain(each) && typeof each === typeof label[0]);
  return one ? null : `${expected}, found a list of other things`;
}

/** What is wrong with the first of these keys that is not a text, or null. */
export function notTexts(row: JsonRow, ...keys: readonly string[]): string | null {
  const key = keys.find((each) => typeof row[each] !== "string");
  return key === undefined ? null : `"${key}" should be a text, found ${kindOf(row[key])}`;
}

export function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

/** What a JSON value is, in words. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  return typeof value === "object" ? "an object" : `the ${typeof value} ${shownJson(value).slice(0, 40)}`;
}
