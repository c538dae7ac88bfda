/** Python's `float` and `int` of any value. */
import { typeError } from "./errors.ts";
import { parseFloatText, parseInteger, toFloat, truncateFloat } from "./numbers.ts";
import { asInt, isNumeric, type PyValue, toNumber, typeName, Undefined } from "./values.ts";

/** Python's `float(value)`. */
export function floatOf(value: PyValue): number {
  if (value instanceof Undefined) throw value.error();
  if (typeof value === "string") return parseFloatText(value);
  if (isNumeric(value)) return toFloat(toNumber(value));
  throw typeError(`float() argument must be a string or a real number, not '${typeName(value)}'`);
}

/** Python's `int(value)`. */
export function intOf(value: PyValue, base: number): bigint {
  if (value instanceof Undefined) throw value.error();
  if (typeof value === "string") return parseInteger(value, base);
  if (typeof value === "number") return truncateFloat(value);
  const int = asInt(value);
  if (int !== null) return int;
  throw typeError(`int() argument must be a string, a bytes-like object or a real number, not '${typeName(value)}'`);
}
