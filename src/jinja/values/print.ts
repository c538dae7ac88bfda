/** Python's `str` and `repr`. */
import { floatRepr } from "../../core/python-json.ts";
import { typeError } from "./errors.ts";
import type { Budget } from "./limits.ts";
import { intText } from "./numbers.ts";
import { Dict, Markup, PyObject, type PyValue, Tuple, Undefined } from "./values.ts";

/** Python's `str(value)`. */
export function str(budget: Budget, value: PyValue): string {
  if (typeof value === "string") return value;
  if (value instanceof Undefined) return "";
  return value instanceof Markup ? value.content : repr(budget, value);
}

/** Python's `repr(value)`. */
export function repr(budget: Budget, value: PyValue, depth = 0): string {
  budget.step();
  budget.nesting(depth);
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "bigint") return intText(value);
  if (typeof value === "number") return floatText(value);
  if (typeof value === "string") return charged(budget, quoted(value));
  const inner = (item: PyValue) => repr(budget, item, depth + 1);
  if (Array.isArray(value)) return charged(budget, `[${value.map(inner).join(", ")}]`);
  if (value instanceof Tuple) {
    return charged(budget, `(${value.items.map(inner).join(", ")}${value.items.length === 1 ? "," : ""})`);
  }
  if (value instanceof Dict) {
    const parts = [...value.entries()].map(([key, item]) => `${inner(key)}: ${inner(item)}`);
    return charged(budget, `{${parts.join(", ")}}`);
  }
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Markup) return `Markup(${inner(value.content)})`;
  if (value instanceof PyObject) return charged(budget, value.text(inner));
  throw typeError("a value of no type");
}

function charged(budget: Budget, text: string): string {
  budget.text(text.length);
  return text;
}

export function floatText(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  return floatRepr(value);
}

const SHORT_ESCAPES = new Map([
  ["\\", "\\\\"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inner = text.replace(/[\\']|[^ -~]/gu, (char) => {
    if (char === "'") return quote === "'" ? "\\'" : char;
    return SHORT_ESCAPES.get(char) ?? (isPrintable(char) ? char : hexEscape(char.codePointAt(0)!));
  });
  return quote + inner + quote;
}

/** `str.isprintable` of one character. */
export function isPrintable(char: string): boolean {
  return char === " " || !/[\p{C}\p{Z}]/u.test(char);
}

/** The escape that Python writes for a code point. */
export function hexEscape(codePoint: number): string {
  if (codePoint <= 0xff) return `\\x${codePoint.toString(16).padStart(2, "0")}`;
  if (codePoint <= 0xffff) return `\\u${codePoint.toString(16).padStart(4, "0")}`;
  return `\\U${codePoint.toString(16).padStart(8, "0")}`;
}
