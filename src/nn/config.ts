/** Reads a published config.json, naming any key that is missing, ill-typed or out of its range. */
import { FormatError } from "../core/errors.ts";
import { shownValue } from "../core/whole-numbers.ts";

/** A config.json as it was parsed. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** The largest count of anything: sizes and ids are 32-bit integers in the kernels. */
const MOST = 2 ** 31 - 1;

/** More layers than any published model has. A config that asks for more is damaged, or meant to fill memory. */
export const MOST_LAYERS = 10_000;

/** Reads the fields of a config.json with checks of type and range. */
export class ConfigReader {
  readonly raw: RawConfig;
  readonly name: string;

  /** `name` is the name of the file in messages. */
  constructor(raw: RawConfig, name = "config.json") {
    this.raw = raw;
    this.name = name;
  }

  /** A whole number of any sign, such as an id. */
  int(key: string, missing?: number): number {
    return this.#read(key, "a whole number", (v): v is number => Number.isSafeInteger(v), missing);
  }
  /** A whole number from 1 to `most`: how many there are of something, or how wide it is. */
  count(key: string, missing?: number, most = MOST): number {
    const is = (v: unknown): v is number => Number.isInteger(v) && (v as number) >= 1 && (v as number) <= most;
    return this.#read(key, `a whole number from 1 to ${most}`, is, missing);
  }
  /** A finite number of any sign. */
  float(key: string, missing?: number): number {
    return this.#read(key, "a number", (v): v is number => Number.isFinite(v), missing);
  }
  /** A finite number above 0. */
  positive(key: string, missing?: number): number {
    const is = (v: unknown): v is number => Number.isFinite(v) && (v as number) > 0;
    return this.#read(key, "a number above 0", is, missing);
  }
  /** A number from 0 to 1. */
  probability(key: string, missing?: number): number {
    const is = (v: unknown): v is number => typeof v === "number" && v >= 0 && v <= 1;
    return this.#read(key, "a number from 0 to 1", is, missing);
  }
  bool(key: string, missing?: boolean): boolean {
    return this.#read(key, "true or false", (v): v is boolean => typeof v === "boolean", missing);
  }
  string(key: string, missing?: string): string {
    return this.#read(key, "a string", (v): v is string => typeof v === "string", missing);
  }
  /** Whether the file has a value for the key other than null. */
  has(key: string): boolean {
    return this.raw[key] !== undefined && this.raw[key] !== null;
  }
  /** null where the file says null or nothing. */
  optionalInt(key: string): number | null {
    return this.has(key) ? this.int(key) : null;
  }
  /** null where the file says null or nothing. */
  optionalCount(key: string): number | null {
    return this.has(key) ? this.count(key) : null;
  }
  object(key: string): ConfigReader | null {
    if (!this.has(key)) return null;
    const isObject = (v: unknown): v is RawConfig => typeof v === "object" && v !== null && !Array.isArray(v);
    return new ConfigReader(this.#read(key, "an object", isObject), `"${key}" of ${this.name}`);
  }
  list(key: string): readonly unknown[] | null {
    return this.has(key) ? this.#read(key, "a list", Array.isArray) : null;
  }

  /** `whole` / `parts`. Throws FormatError, which names both keys, where that is not a whole number. */
  share(whole: number, wholeKey: string, parts: number, partsKey: string): number {
    if (whole % parts === 0) return whole / parts;
    throw this.wrong(partsKey, parts, `a divisor of ${whole} ("${wholeKey}")`);
  }

  /** The error for a value of `key`, or for what it stands for where the file leaves it out. */
  wrong(key: string, found: unknown, expected: string): FormatError {
    return new FormatError(`${this.name}: "${key}" is ${shownValue(found, 200)}, expected ${expected}`);
  }

  #read<T>(key: string, expected: string, is: (v: unknown) => v is T, missing?: T): T {
    const value = this.raw[key];
    if (is(value)) return value;
    if ((value === undefined || value === null) && missing !== undefined) return missing;
    if (value !== undefined) throw this.wrong(key, value, expected);
    throw new FormatError(`${this.name}: "${key}" is missing, expected ${expected}`);
  }
}
