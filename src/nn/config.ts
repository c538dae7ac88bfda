/** Reads a published config.json; errors name any key that is missing or has the wrong type. */
import { FormatError } from "../core/errors.ts";

/** A config.json as it was parsed. */
export type RawConfig = Readonly<Record<string, unknown>>;

export class ConfigReader {
  readonly raw: RawConfig;
  readonly name: string;

  /** `name` is the name of the file in messages. */
  constructor(raw: RawConfig, name = "config.json") {
    this.raw = raw;
    this.name = name;
  }

  int(key: string, missing?: number): number {
    return this.#read(key, "a whole number", (v): v is number => Number.isInteger(v), missing);
  }
  float(key: string, missing?: number): number {
    return this.#read(key, "a number", (v): v is number => typeof v === "number", missing);
  }
  bool(key: string, missing?: boolean): boolean {
    return this.#read(key, "true or false", (v): v is boolean => typeof v === "boolean", missing);
  }
  string(key: string, missing?: string): string {
    return this.#read(key, "a string", (v): v is string => typeof v === "string", missing);
  }
  /** null if the value is null or missing. */
  optionalInt(key: string): number | null {
    return this.raw[key] === undefined || this.raw[key] === null ? null : this.int(key);
  }
  object(key: string): ConfigReader | null {
    const value = this.raw[key];
    if (value === undefined || value === null) return null;
    const isObject = (v: unknown): v is RawConfig => typeof v === "object" && v !== null && !Array.isArray(v);
    return new ConfigReader(this.#read(key, "an object", isObject), `"${key}" of ${this.name}`);
  }
  list(key: string): readonly unknown[] | null {
    return this.raw[key] === undefined || this.raw[key] === null ? null : this.#read(key, "a list", Array.isArray);
  }

  #read<T>(key: string, expected: string, is: (v: unknown) => v is T, missing?: T): T {
    const value = this.raw[key];
    if (is(value)) return value;
    if ((value === undefined || value === null) && missing !== undefined) return missing;
    const found = value === undefined ? "is missing" : `is ${JSON.stringify(value)}`;
    throw new FormatError(`${this.name}: "${key}" ${found}, expected ${expected}`);
  }
}
