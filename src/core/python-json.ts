/**
 * JSON as Python's `json` module writes and reads it. A file we write has the bytes that
 * `json.dumps(value, indent=2, sort_keys=True)` would give: only ASCII, `1e-05` where JavaScript writes `0.00001`, and
 * `0.0` for a float where JavaScript, which has one kind of number, writes `0`.
 */
import { compareCodePoints } from "./code-points.ts";
import { FormatError } from "./errors.ts";

/** A number that Python holds as a float, so that 1 is written as `1.0`. Fractions need no marking. */
export class PyFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
  valueOf(): number {
    return this.value;
  }
}

/** Marks a number as a float: `pyFloat(0)` is written as `0.0`, `pyFloat(150)` as `150.0`. */
export function pyFloat(value: number): PyFloat {
  return new PyFloat(value);
}

/** The values that plain JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Whether a value is a JSON object: neither null nor a list. */
export function isObject(value: unknown): value is Readonly<Record<string, Json>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The same, distinguishing Python's int from its float: a whole `number` is an int, and so is a `bigint`. */
export type PyJson =
  | null
  | boolean
  | number
  | bigint
  | PyFloat
  | string
  | readonly PyJson[]
  | { readonly [key: string]: PyJson };

/** Where `parsePythonJson` stores the order of keys that JavaScript would reorder: keys that look like numbers. */
const KEY_ORDER = Symbol("order of keys");

/**
 * The keys of an object in the order of the JSON text that `parsePythonJson` read it from, unless keys were added or
 * removed since.
 */
export function keyOrder(object: object): readonly string[] {
  const keys = Object.keys(object);
  const order = (object as { readonly [KEY_ORDER]?: readonly string[] })[KEY_ORDER] ?? keys;
  const isCurrent = order.length === keys.length && order.every((key) => Object.hasOwn(object, key));
  return isCurrent ? order : keys;
}

/** A value as messages show it: JSON on one line, integers beyond 2^53 included. Undefined is "nothing". */
export function shownJson(value: unknown): string {
  if (typeof value === "bigint") return String(value);
  const plain = (_: string, each: unknown) =>
    typeof each === "bigint" ? Number(each) : each instanceof PyFloat ? each.value : each;
  try {
    return JSON.stringify(value, plain) ?? "nothing";
  } catch {
    return "a value that is nested too deep";
  }
}

/** How to write. `indent: null` puts everything on one line with ", " and ": ", Python's default. */
export interface PythonJsonStyle {
  readonly indent?: number | null;
  readonly sortKeys?: boolean;
}

/**
 * What `json.dumps(value, indent=indent, sort_keys=sortKeys)` gives, without a final newline.
 *
 * @example
 * pythonJson({ r: 8, lora_dropout: pyFloat(0) }); // '{\n  "lora_dropout": 0.0,\n  "r": 8\n}'
 */
export function pythonJson(value: PyJson, { indent = 2, sortKeys = true }: PythonJsonStyle = {}): string {
  const newline = (depth: number) => (indent === null ? "" : `\n${" ".repeat(indent * depth)}`);
  const comma = indent === null ? ", " : ",";
  const join = (items: string[], depth: number) =>
    newline(depth + 1) + items.join(comma + newline(depth + 1)) + newline(depth);

  function write(item: PyJson, depth: number): string {
    if (item === null || typeof item === "boolean" || typeof item === "bigint") return String(item);
    if (typeof item === "number") return isInt(item) ? String(item) : floatRepr(item);
    if (typeof item === "string") return quote(item);
    if (item instanceof PyFloat) return floatRepr(item.value);
    return isList(item) ? writeList(item, depth) : writeObject(item, depth);
  }
  function writeList(list: readonly PyJson[], depth: number): string {
    if (list.length === 0) return "[]";
    const items = list.map((item) => write(item, depth + 1));
    return `[${join(items, depth)}]`;
  }
  function writeObject(object: { readonly [key: string]: PyJson }, depth: number): string {
    const keys = Object.keys(object);
    if (keys.length === 0) return "{}";
    if (sortKeys) keys.sort(compareCodePoints);
    const items = keys.map((key) => `${quote(key)}: ${write(object[key]!, depth + 1)}`);
    return `{${join(items, depth)}}`;
  }
  return write(value, 0);
}

/** Whether Python would hold a plain number as an int. Beyond 2^53 it can only be a float. */
function isInt(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

/** `Array.isArray` for read-only arrays. */
function isList<T>(value: readonly T[] | object): value is readonly T[] {
  return Array.isArray(value);
}

/** Python's `repr` of a float: the shortest digits that read back the same, an exponent below 1e-4 and from 1e16. */
export function floatRepr(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "-Infinity" : "Infinity";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const [mantissa, power] = Math.abs(value).toExponential().split("e") as [string, string];
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${sign}${mantissa}e${exponent < 0 ? "-" : "+"}${size}`;
  }
  const digits = mantissa.replace(".", "");
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  return `${sign}${digits.slice(0, exponent + 1).padEnd(exponent + 1, "0")}.${digits.slice(exponent + 1) || "0"}`;
}

/** Everything outside printable ASCII is escaped, by UTF-16 unit. */
function quote(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export interface ParseJsonOptions {
  /** As Rust's serde_json: no key twice in an object, neither NaN nor Infinity, at most 127 levels of nesting. Default false. */
  readonly strict?: boolean;
}

/**
 * Reads JSON, and also `NaN`, `Infinity` and `-Infinity` as Python writes them. Messages call the text `name`. Throws
 * FormatError with the line and column (in UTF-16 units).
 */
export function parseJson(text: string, name: string, options: ParseJsonOptions = {}): Json {
  return new Reader(text, name, options, Number, false).document() as Json;
}

/**
 * The same, keeping what `pythonJson` needs to write the text again: a whole number written as a float becomes a
 * `PyFloat`, an integer beyond 2^53 a `bigint`, and `keyOrder` returns the order of the keys.
 */
export function parsePythonJson(text: string, name = "JSON", options: ParseJsonOptions = {}): PyJson {
  return new Reader(text, name, options, pythonNumber, true).document();
}

function pythonNumber(literal: string): PyJson {
  const value = Number(literal);
  if (/^-?\d+$/.test(literal)) return Number.isSafeInteger(value) ? value : BigInt(literal);
  return Number.isInteger(value) ? new PyFloat(value) : value;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /-?Infinity|NaN|true|false|null/y;
const WORDS = new Map<string, boolean | number | null>([
  ["null", null],
  ["true", true],
  ["false", false],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);
/** Far above the depth of any real file, far below the limit of the stack. */
const MAX_DEPTH = 500;
const STRICT_DEPTH = 127;

/** A recursive-descent parser for one text. */
class Reader {
  readonly #text: string;
  readonly #name: string;
  readonly #strict: boolean;
  readonly #maxDepth: number;
  readonly #number: (literal: string) => PyJson;
  readonly #keepsOrder: boolean;
  #at = 0;

  constructor(
    text: string,
    name: string,
    { strict = false }: ParseJsonOptions,
    number: (literal: string) => PyJson,
    keepsOrder: boolean,
  ) {
    this.#text = text;
    this.#name = name;
    this.#strict = strict;
    this.#maxDepth = strict ? STRICT_DEPTH : MAX_DEPTH;
    this.#number = number;
    this.#keepsOrder = keepsOrder;
  }

  document(): PyJson {
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.#text.length) this.#fail("the end of the text");
    return value;
  }

  #value(depth: number): PyJson {
    this.#space();
    const first = this.#text[this.#at];
    if (first === "{" || first === "[") {
      if (depth >= this.#maxDepth) this.#fail(`at most ${this.#maxDepth} levels of nesting`);
      return first === "{" ? this.#object(depth) : this.#array(depth);
    }
    if (first === '"') return this.#string();
    const start = this.#at;
    const word = this.#match(WORD);
    if (this.#strict && word !== null && /[NI]/.test(word)) this.#fail("a value", start);
    if (word !== null) return WORDS.get(word)!;
    const literal = this.#match(NUMBER);
    return literal === null ? this.#fail("a value") : this.#number(literal);
  }

  #object(depth: number): PyJson {
    const object: Record<string, PyJson> = {};
    const keys: string[] = [];
    this.#at++;
    if (this.#take("}")) return object;
    do {
      this.#space();
      const start = this.#at;
      if (this.#text[start] !== '"') this.#fail("a key in double quotes");
      const key = this.#string();
      if (this.#strict && Object.hasOwn(object, key)) this.#fail("a key not used before", start);
      if (!this.#take(":")) this.#fail('":"');
      const value = this.#value(depth + 1);
      if (this.#keepsOrder && !Object.hasOwn(object, key)) keys.push(key);
      if (key !== "__proto__") object[key] = value;
      else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
    } while (this.#take(","));
    if (!this.#take("}")) this.#fail('"," or "}"');
    if (keys.some((key) => /^\d/.test(key))) Object.defineProperty(object, KEY_ORDER, { value: keys });
    return object;
  }

  #array(depth: number): PyJson {
    const list: PyJson[] = [];
    this.#at++;
    if (this.#take("]")) return list;
    do list.push(this.#value(depth + 1));
    while (this.#take(","));
    if (!this.#take("]")) this.#fail('"," or "]"');
    return list;
  }

  #string(): string {
    const start = this.#at;
    let end = start + 1;
    let escaped = false;
    for (; this.#text[end] !== '"'; end++) {
      if (end >= this.#text.length) this.#fail("a closing quote", end);
      if (this.#text.charCodeAt(end) < 0x20) this.#fail("an escape instead of a control character", end);
      if (this.#text[end] !== "\\") continue;
      escaped = true;
      end++;
    }
    this.#at = end + 1;
    return escaped ? this.#unescape(start, end + 1) : this.#text.slice(start + 1, end);
  }

  #unescape(start: number, end: number): string {
    try {
      return JSON.parse(this.#text.slice(start, end)) as string;
    } catch {
      return this.#fail("a string with valid escapes", start);
    }
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return null;
    this.#at = pattern.lastIndex;
    return found[0];
  }

  /** Skips white space and then `mark`, if present. */
  #take(mark: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== mark) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
    }
  }

  #fail(expected: string, at = this.#at): never {
    const before = this.#text.slice(0, at).split("\n");
    const found = at < this.#text.length ? JSON.stringify(this.#text.slice(at, at + 20)) : "the end";
    throw new FormatError(
      `${this.#name}: line ${before.length}, column ${before.at(-1)!.length + 1}: found ${found}, expected ${expected}`,
    );
  }
}
