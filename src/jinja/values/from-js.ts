/** JavaScript's values as Python's. */
import { keyOrder, PyFloat } from "../../core/python-json.ts";
import { unsupported } from "./errors.ts";
import { Dict, type PyValue } from "./values.ts";

const MAX_DEPTH = 500;

/**
 * null and undefined become None; whole numbers (and bigints) ints, other numbers and `PyFloat` floats; arrays lists; maps
 * and plain objects dicts, in the order in which JSON text had the keys where that is known (`parsePythonJson`). Keys whose
 * value is undefined are left out. Throws TemplateError for all else, such as functions and dates.
 */
export function fromJs(value: unknown, depth = 0): PyValue {
  if (depth > MAX_DEPTH) throw unsupported(`a value of more than ${MAX_DEPTH} levels`);
  if (value === null || value === undefined) return null;
  if (typeof value === "boolean" || typeof value === "bigint" || typeof value === "string") return value;
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value !== "object") throw unsupported(`a ${typeof value} as a value`);
  if (value instanceof PyFloat) return value.value;
  if (Array.isArray(value)) return value.map((item) => fromJs(item, depth + 1));
  if (value instanceof Map) {
    const dict = new Dict();
    for (const [key, item] of value) dict.set(fromJs(key, depth + 1), fromJs(item, depth + 1));
    return dict;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw unsupported(`${describe(value)} as a value`);
  const dict = new Dict();
  for (const key of keyOrder(value)) {
    const item = (value as Readonly<Record<string, unknown>>)[key];
    if (item !== undefined) dict.set(key, fromJs(item, depth + 1));
  }
  return dict;
}

function describe(value: object): string {
  return `an object of class ${value.constructor?.name ?? "unknown"}`;
}
