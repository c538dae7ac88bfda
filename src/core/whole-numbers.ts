/** Lists of ids, as callers have them, to the 32-bit numbers that kernels read. Assigning them unchecked would wrap. */
import { FormatError } from "./errors.ts";

const LEAST = -(2 ** 31);
const MOST = 2 ** 31 - 1;

/** Lists of whole numbers: plain, or typed arrays of any width, BigInt64Array included. */
export type WholeNumbers = ArrayLike<number> | ArrayLike<bigint>;

/** Copies whole numbers to `to` from `at` on. `what` names them in messages. Throws FormatError for anything else. */
export function copyWholeNumbers(what: string, values: WholeNumbers, to: Int32Array, at = 0): void {
  if (values instanceof Int32Array) {
    to.set(values, at);
    return;
  }
  for (let i = 0; i < values.length; i++) {
    const value: unknown = values[i]; // holes are undefined
    const number = typeof value === "bigint" ? Number(value) : value;
    if (!isWholeNumber(number))
      throw new FormatError(`${what}: ${shownValue(value)} at position ${i}, expected a whole number`);
    to[at + i] = number;
  }
}

/** The same as a new array. Throws FormatError where `values` is not a list. */
export function wholeNumbers(what: string, values: WholeNumbers): Int32Array {
  const all = new Int32Array(lengthOf(what, values));
  copyWholeNumbers(what, values, all);
  return all;
}

/** Whether it is an array, plain or typed. */
export function isList(values: unknown): values is ArrayLike<unknown> {
  return Array.isArray(values) || (ArrayBuffer.isView(values) && !(values instanceof DataView));
}

/** The length of a list. Throws FormatError for texts and other things. */
export function lengthOf(what: string, values: unknown): number {
  if (isList(values)) return values.length;
  throw new FormatError(
    `${what}: found ${values === null ? "null" : `a value of type ${typeof values}`}, expected a list`,
  );
}

/** Whether a value is a whole number of 32 bits. */
export function isWholeNumber(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= LEAST && (value as number) <= MOST;
}

/** A value as messages show it, shortened: JSON has no NaN and no bigint. */
export function shownValue(value: unknown, most = 60): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" || value === undefined) return String(value); // JSON has no NaN
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  const kind = typeof value === "object" && value !== null ? Object.getPrototypeOf(value)?.constructor?.name : "";
  if (kind && kind !== "Object" && kind !== "Array") return `a ${kind}`;
  try {
    const text = JSON.stringify(value);
    return text.length > most ? `${text.slice(0, most)}...` : text;
  } catch {
    return "a value that cannot be written"; // nested too deep, or in a circle
  }
}
