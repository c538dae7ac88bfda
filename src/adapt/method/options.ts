/** The options of a PEFT method: what type each has, what it is when not given, and how it is spelt in a file. */
import { PyFloat, type PyJson } from "../../core/python-json.ts";

/** One option: its default and which values it takes. */
export interface Option<T> {
  readonly fallback: T;
  /** What messages say was expected, such as `true or false`. */
  readonly expected: string;
  is(value: unknown): value is T;
  /** Python holds it as a float, so that 1 is written `1.0`. */
  readonly float?: boolean;
  /** It has no place in files: only the caller can give it. */
  readonly unsaved?: boolean;
  /** What it is, in a few words, for help and documentation. */
  readonly help?: string;
}

/** Options by name, in camelCase; a file has the same names in snake_case. */
export type Options = Readonly<Record<string, Option<unknown>>>;

/** The values of options. */
export type ValuesOf<S extends Options> = { readonly [K in keyof S]: S[K] extends Option<infer T> ? T : never };

const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isString = (value: unknown): value is string => typeof value === "string";
const isStrings = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every(isString);
const isIndex = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isIndices = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isIndex);
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Any option for which none of the kinds below fits. */
export function option<T>(fallback: T, expected: string, is: (value: unknown) => boolean, help = ""): Option<T> {
  return { fallback, expected, is: is as (value: unknown) => value is T, help };
}

/** true or false. */
export function flag(fallback: boolean, help = ""): Option<boolean> {
  return option(fallback, "true or false", (value) => typeof value === "boolean", help);
}

/** A whole number of at least `least`. */
export function whole(fallback: number, least: number, help = ""): Option<number> {
  const is = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= least;
  return option(fallback, `a whole number of at least ${least}`, is, help);
}

/** A whole number of at least 1, or null: the caller has still to say, or the model does. */
export function sizeOrNull(help = ""): Option<number | null> {
  const is = (value: unknown) => value === null || (Number.isSafeInteger(value) && (value as number) >= 1);
  return option<number | null>(null, "a whole number of at least 1 or null", is, help);
}

/** Any finite number. */
export function number(fallback: number, help = ""): Option<number> {
  return option(fallback, "a number", isNumber, help);
}

/** A probability: from 0 up to but not including 1. A float in files. */
export function probability(fallback: number, help = ""): Option<number> {
  const is = (value: unknown) => isNumber(value) && value >= 0 && value < 1;
  return { ...option(fallback, "a number from 0 up to but not including 1", is, help), float: true };
}

/** An option that has no place in files. */
export function unsaved<T>(one: Option<T>): Option<T> {
  return { ...one, unsaved: true };
}

/** One of a few words. */
export function oneOf<const T extends string>(words: readonly T[], fallback: NoInfer<T>, help = ""): Option<T> {
  const expected = words.map((word) => `"${word}"`).join(" or ");
  return option<T>(fallback, expected, (value) => words.includes(value as T), help);
}

/** Text, or null. */
export function text(help = ""): Option<string | null> {
  return option<string | null>(null, "a string or null", (value) => value === null || isString(value), help);
}

/** A list of names, or null. */
export function names(help = ""): Option<readonly string[] | null> {
  const is = (value: unknown) => value === null || isStrings(value);
  return option<readonly string[] | null>(null, "a list of names or null", is, help);
}

/** A list of name endings, one regular expression over whole names, or null. */
export function namesOrPattern(help = ""): Option<readonly string[] | string | null> {
  const is = (value: unknown) => value === null || isString(value) || isStrings(value);
  return option<readonly string[] | string | null>(null, "a list of names, a regular expression or null", is, help);
}

/** A number of a layer, a list of them, or null. */
export function layerNumbers(help = ""): Option<readonly number[] | number | null> {
  const is = (value: unknown) => value === null || isIndex(value) || isIndices(value);
  return option<readonly number[] | number | null>(null, "a layer number, a list of them or null", is, help);
}

/** Numbers by pattern, for layers that differ from the rest: the first pattern that fits a layer's name counts. */
export function numbersByPattern(one: Option<number>, help = ""): Option<Readonly<Record<string, number>>> {
  const is = (value: unknown) => isRecord(value) && Object.values(value).every((each) => one.is(each));
  return option<Readonly<Record<string, number>>>({}, `an object whose values are each ${one.expected}`, is, help);
}

/** `loraAlpha` as files spell it: `lora_alpha`. The one place where names cross over. */
export function snakeCase(name: string): string {
  if (name === "deltaT") return name; // AdaLoRA's
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The value without Python's distinction of int and float. */
export function plain(value: PyJson): unknown {
  if (value instanceof PyFloat) return value.value;
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(plain);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each as PyJson)]));
}

/** Whether both have the same JSON, but for the order of keys. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((each, i) => sameJson(each, b[i]));
  if (!isRecord(a) || !isRecord(b)) return a === b;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
  );
}
