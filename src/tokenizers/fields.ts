/** Reading the parts of a tokenizer.json: each value has its type checked, and errors name the part and the field. */
import { FormatError, UnsupportedError } from "../core/errors.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Token numbers index rows of an embedding, so none lies beyond what one can have. */
const MAX_ID = 2 ** 24;
/** Token types are 32-bit numbers: a larger one would wrap. */
const MAX_TYPE = 2 ** 31 - 1;
/** Parts inside parts: no file needs more, and a hostile one must not exhaust the stack. */
const MAX_DEPTH = 32;

/** One object of the file. `path` is what errors call it, such as "normalizer.normalizers[1]". */
export class Fields {
  readonly path: string;
  readonly #json: JsonObject;
  readonly #depth: number;

  constructor(json: unknown, path: string, depth = 0) {
    if (!isObject(json)) throw wrong(path, json, "an object");
    if (depth > MAX_DEPTH) throw new FormatError(`${path} is nested more than ${MAX_DEPTH} deep`);
    this.#json = json;
    this.path = path;
    this.#depth = depth;
  }

  /** Throws UnsupportedError when the object has a field besides these: what it asks for would not be done. */
  only(...known: readonly string[]): this {
    const extra = Object.keys(this.#json).find((key) => key !== "type" && !known.includes(key));
    if (extra === undefined) return this;
    const fields = known.length === 0 ? "no fields" : `the fields ${known.join(", ")}`;
    throw new UnsupportedError(`${this.path} has the unknown field "${extra}"; this type has ${fields}`);
  }

  /** The value as it is, undefined when the field is absent. */
  raw(key: string): unknown {
    return this.#json[key];
  }

  has(key: string): boolean {
    return this.#json[key] !== undefined && this.#json[key] !== null;
  }

  string(key: string): string {
    const value = this.#json[key];
    if (typeof value !== "string") throw wrong(`${this.path}.${key}`, value, "a string");
    return value;
  }

  optionalString(key: string): string | null {
    return this.has(key) ? this.string(key) : null;
  }

  /** One character, in code points. */
  char(key: string): string {
    const value = this.string(key);
    if (Array.from(value).length !== 1) throw wrong(`${this.path}.${key}`, value, "one character");
    return value;
  }

  boolean(key: string, absent?: boolean): boolean {
    const value = this.#json[key];
    if (value === undefined && absent !== undefined) return absent;
    if (typeof value !== "boolean") throw wrong(`${this.path}.${key}`, value, "true or false");
    return value;
  }

  /** A whole number, not negative. */
  count(key: string, absent?: number): number {
    const value = this.#json[key];
    if (value === undefined && absent !== undefined) return absent;
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      throw wrong(`${this.path}.${key}`, value, "a whole number of at least 0");
    }
    return value as number;
  }

  tokenType(key: string): number {
    const value = this.count(key);
    if (value <= MAX_TYPE) return value;
    throw wrong(`${this.path}.${key}`, value, `a token type from 0 to ${MAX_TYPE}`);
  }

  id(key: string): number {
    return checkedId(this.#json[key], `${this.path}.${key}`);
  }

  oneOf<T extends string>(key: string, choices: readonly T[], absent?: T): T {
    const value = this.#json[key];
    if (value === undefined && absent !== undefined) return absent;
    if (choices.includes(value as T)) return value as T;
    throw wrong(`${this.path}.${key}`, value, `one of ${choices.join(", ")}`);
  }

  /** An array with each of its values and what errors call it. */
  list(key: string): { readonly value: unknown; readonly path: string }[] {
    const value = this.#json[key];
    if (!Array.isArray(value)) throw wrong(`${this.path}.${key}`, value, "an array");
    return value.map((each, i) => ({ value: each, path: `${this.path}.${key}[${i}]` }));
  }

  part(key: string): Fields {
    return new Fields(this.#json[key], `${this.path}.${key}`, this.#depth + 1);
  }

  parts(key: string): Fields[] {
    return this.list(key).map(({ value, path }) => new Fields(value, path, this.#depth + 1));
  }

  keys(): string[] {
    return Object.keys(this.#json);
  }
}

/** Makes a part by its "type". Throws UnsupportedError when the type is not among the makers. */
export function byType<T>(fields: Fields, makers: Readonly<Record<string, (fields: Fields) => T>>): T {
  const type = fields.string("type");
  const make = Object.hasOwn(makers, type) ? makers[type] : undefined;
  if (make !== undefined) return make(fields);
  throw new UnsupportedError(
    `${fields.path} has the unknown type ${JSON.stringify(type)}; known are ${Object.keys(makers).join(", ")}`,
  );
}

export function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < MAX_ID;
}

export function checkedId(value: unknown, path: string): number {
  if (isId(value)) return value;
  throw wrong(path, value, `a token number from 0 to ${MAX_ID - 1}`);
}

export function wrong(path: string, found: unknown, expected: string): FormatError {
  const shown = found === undefined ? "missing" : `${JSON.stringify(found)?.slice(0, 60)}`;
  return new FormatError(`${path} is ${shown}; expected ${expected}`);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
