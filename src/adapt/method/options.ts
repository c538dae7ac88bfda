/** Kinds of options that only PEFT methods use, and how files spell options. */
import { fraction, number, type Option, type OptionDetails, option, orNull, wholeOrNull } from "../../core/options.ts";
import { PyFloat, type PyJson } from "../../core/python-json.ts";

const isIndex = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isIndices = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every(isIndex);
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A size that the user must set, or that follows from the model: a whole number of at least 1, or null. */
export function sizeOrNull(about?: string | OptionDetails<number>): Option<number | null> {
  return wholeOrNull(1, about);
}

/** A probability: from 0 up to but not including 1. A float in files. */
export function probability(fallback: number, help = ""): Option<number> {
  return fraction(fallback, { help, placeholder: "p", float: true });
}

/** The share of an input that is dropped in training, all of it included. A float in files. */
export function dropoutRate(fallback: number, help = ""): Option<number> {
  return number(fallback, { help, placeholder: "p", float: true }, { least: 0, most: 1 });
}

/** The number of a layer, a list of them, or null. */
export function layerNumbers(help = ""): Option<readonly number[] | number | null> {
  const is = (value: unknown) => isIndex(value) || isIndices(value);
  return orNull(option<readonly number[] | number>([], "a layer number or a list of them", is, help));
}

/** Numbers by pattern, for layers that differ from the rest: the first pattern that matches a layer's name applies. */
export function numbersByPattern(one: Option<number>, help = ""): Option<Readonly<Record<string, number>>> {
  const is = (value: unknown) => isRecord(value) && Object.values(value).every((each) => one.is(each));
  return option<Readonly<Record<string, number>>>({}, `an object whose values are each ${one.expected}`, is, help);
}

/** `loraAlpha` as files spell it: `lora_alpha`. Names are converted only here. */
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

/** Whether both have the same JSON, except for the order of keys. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((each, i) => sameJson(each, b[i]));
  if (!isRecord(a) || !isRecord(b)) return a === b;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key], b[key]))
  );
}
