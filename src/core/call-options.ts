/** Options of functions that programs call, checked at run time as settings are. */
import { FormatError } from "./errors.ts";
import { completeOptions, type Option, type Options, option, orNull, type ValuesOf } from "./options.ts";

/** A function, or null. */
export function callback(): Option<unknown> {
  return orNull(option<unknown>(null, "a function", (value) => typeof value === "function"));
}

/** An object of any kind, or null. */
export function anObject(expected = "an object"): Option<unknown> {
  return orNull(option<unknown>(null, expected, (value) => typeof value === "object"));
}

/** A list whose entries all pass, or null. */
export function listOf(expected: string, is: (value: unknown) => boolean): Option<unknown> {
  return orNull(option<unknown>(null, expected, (value) => Array.isArray(value) && value.every(is)));
}

/** Anything at all: what a function hands on, to be checked there. */
export function anything(): Option<unknown> {
  return option<unknown>(undefined, "anything", () => true);
}

/**
 * Throws one FormatError with a line for each unknown name and each wrong value of the options that `what` was called with, and
 * gives the values with their defaults.
 */
export function callOptions<S extends Options>(what: string, options: S, given: unknown): ValuesOf<S> {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw wrongArgument(what, "the options", given, "an object such as { name: value }");
  return completeOptions(what, options, given as Readonly<Record<string, unknown>>);
}

/** Options with names as in Python, such as `top_k`, by their names here. */
export function camelKeys(given: unknown): unknown {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return given;
  const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [camel(name), value]));
}

/** The error for an argument that is not what its place is for. */
export function wrongArgument(what: string, place: string, found: unknown, expected: string): FormatError {
  return new FormatError(`${what}: ${place} is ${inWords(found)}, expected ${expected}`);
}

/** Throws FormatError unless the argument passes. */
export function expectArgument(what: string, place: string, value: unknown, ok: boolean, expected: string): void {
  if (!ok) throw wrongArgument(what, place, value, expected);
}

/** A value as messages show it: short, and never empty. */
function inWords(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `the bigint ${value}`;
  if (typeof value !== "object") return `the ${typeof value} ${String(JSON.stringify(value) ?? value).slice(0, 40)}`;
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  return name === undefined || name === "Object" ? "an object" : `a ${name}`;
}
