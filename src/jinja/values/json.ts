/** transformers' filter `tojson`: Python's `json.dumps`. */
import { compareCodePoints } from "../../core/code-points.ts";
import { typeError } from "./errors.ts";
import type { Budget } from "./limits.ts";
import { intText } from "./numbers.ts";
import { floatText } from "./print.ts";
import { Dict, isNumeric, isOrdered, Markup, type PyValue, Tuple, typeName } from "./values.ts";

export interface JsonStyle {
  readonly ensureAscii: boolean;
  /** What a level is indented by; null puts all on one line. */
  readonly indent: string | null;
  readonly itemSeparator: string;
  readonly keySeparator: string;
  readonly sortKeys: boolean;
}

export function toJson(budget: Budget, value: PyValue, style: JsonStyle): string {
  const { indent, itemSeparator, keySeparator } = style;
  const line = (depth: number) => (indent === null ? "" : `\n${indent.repeat(depth)}`);
  const around = (open: string, items: readonly string[], close: string, depth: number): string => {
    if (items.length === 0) return open + close;
    const text = open + line(depth + 1) + items.join(itemSeparator + line(depth + 1)) + line(depth) + close;
    budget.text(text.length);
    return text;
  };
  const write = (item: PyValue, depth: number): string => {
    budget.step();
    budget.nesting(depth);
    if (item === null || typeof item === "boolean" || isNumeric(item)) return scalar(item);
    if (item instanceof Markup) return write(item.content, depth);
    if (typeof item === "string") {
      budget.text(item.length);
      return quote(item, style.ensureAscii);
    }
    if (Array.isArray(item) || item instanceof Tuple) {
      const items = Array.isArray(item) ? item : item.items;
      return around(
        "[",
        items.map((each) => write(each, depth + 1)),
        "]",
        depth,
      );
    }
    if (!(item instanceof Dict)) throw typeError(`Object of type ${typeName(item)} is not JSON serializable`);
    const entries = [...item.entries()];
    if (style.sortKeys) entries.sort(([a], [b]) => compareKeys(budget, a, b));
    const parts = entries.map(
      ([key, each]) => quote(keyText(key), style.ensureAscii) + keySeparator + write(each, depth + 1),
    );
    return around("{", parts, "}", depth);
  };
  return write(value, 0);
}

function scalar(value: null | boolean | bigint | number): string {
  if (typeof value === "bigint") return intText(value);
  if (typeof value !== "number") return String(value);
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "-Infinity" : "Infinity";
  return floatText(value);
}

function keyText(key: PyValue): string {
  if (typeof key === "string") return key;
  if (key === null || isNumeric(key)) return scalar(key);
  throw typeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

function compareKeys(budget: Budget, a: PyValue, b: PyValue): number {
  if (typeof a === "string" && typeof b === "string") return compareCodePoints(a, b);
  return isOrdered(budget, a, "<", b) ? -1 : 1;
}

function quote(text: string, ensureAscii: boolean): string {
  const unicodeEscape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  const quoted = JSON.stringify(text);
  if (ensureAscii) return quoted.replace(/[^ -~]/g, unicodeEscape);
  // JSON.stringify escapes lone surrogates, Python leaves them.
  return /[\ud800-\udfff]/.test(text)
    ? quoted.replace(LONE_ESCAPE, (_, before, hex) => before + String.fromCharCode(Number.parseInt(hex, 16)))
    : quoted;
}

const LONE_ESCAPE = /((?:^|[^\\])(?:\\\\)*)\\u(d[89a-f][0-9a-f]{2})/g;
