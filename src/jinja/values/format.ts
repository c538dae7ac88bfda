/** Python's three ways to format: `"%d" % value`, `"{}".format(value)` and format specifications such as ">8.2f". */
import { codePointCount, codePoints } from "./code-points.ts";
import { TemplateError, typeError, unsupported, valueError } from "./errors.ts";
import type { Budget } from "./limits.ts";
import { exponentDigits, fixedDigits, intText, toFloat, truncateFloat } from "./numbers.ts";
import { floatText, hexEscape, repr, str } from "./print.ts";
import {
  asInt,
  Dict,
  isNumeric,
  type Kwargs,
  PyRange,
  type PyValue,
  plain,
  Tuple,
  toIndex,
  toNumber,
  typeName,
  Undefined,
} from "./values.ts";

/** Digits of |value| as C's "e", "f" and "g" write them; `alternate` keeps the point and final zeros of "g". */
export function floatDigits(value: number, type: string, precision: number, alternate = false): string {
  if (!Number.isFinite(value)) {
    const word = Number.isNaN(value) ? "nan" : "inf";
    return type === type.toUpperCase() && type !== "%" ? word.toUpperCase() : word;
  }
  const upper = type === "E" || type === "G";
  const kind = type.toLowerCase();
  const text =
    kind === "f"
      ? fixedDigits(value, precision)
      : kind === "e"
        ? exponent(value, precision, alternate)
        : general(value, precision, alternate);
  const pointed = alternate && kind === "f" && precision === 0 ? `${text}.` : text;
  return upper ? pointed.toUpperCase() : pointed;
}

function exponent(value: number, precision: number, alternate: boolean): string {
  const { digits, exponent: power } = exponentDigits(value, precision);
  const point = precision > 0 || alternate ? "." : "";
  return `${digits[0]}${point}${digits.slice(1)}${exponentText(power)}`;
}

function exponentText(power: number): string {
  return `e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

/** `threshold` is the exponent from which "g" writes one. */
function general(value: number, precision: number, alternate: boolean, threshold = precision || 1): string {
  const significant = precision || 1;
  const { digits, exponent: power } = exponentDigits(value, significant - 1);
  const trimmed = (text: string) => (alternate || !text.includes(".") ? text : text.replace(/\.?0+$/, ""));
  if (power < -4 || power >= threshold) {
    const mantissa = digits.length > 1 || alternate ? `${digits[0]}.${digits.slice(1)}` : digits;
    return trimmed(mantissa) + exponentText(power);
  }
  const text = fixedDigits(value, Math.max(0, significant - 1 - power));
  return alternate && !text.includes(".") ? `${text}.` : trimmed(text);
}

const CONVERSION = /%(?:\(([^)]*)\))?([-+ 0#]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?/y;

/** `template % value`. */
export function percentFormat(budget: Budget, template: string, value: PyValue): string {
  const args = value instanceof Tuple ? value.items : [value];
  const named = value instanceof Dict ? value : null;
  // What has items by key in any way may be left unused.
  const mayRest = Array.isArray(value) || value instanceof Undefined || value instanceof PyRange;
  let used = 0;
  let byName = false;
  const next = (): PyValue => {
    const found = args[used++];
    if (found === undefined) throw typeError("not enough arguments for format string");
    return found;
  };
  let text = "";
  let length = 0;
  for (let at = 0; at < template.length; ) {
    const start = template.indexOf("%", at);
    if (start < 0) return finish(text + template.slice(at));
    text += template.slice(at, start);
    CONVERSION.lastIndex = start;
    const [whole, key, flags = "", width, precision] = CONVERSION.exec(template)!;
    const type = String.fromCodePoint(template.codePointAt(start + whole.length) ?? 0);
    if (start + whole.length >= template.length) throw valueError("incomplete format");
    at = start + whole.length + type.length;
    if (key !== undefined) {
      if (named === null) throw typeError("format requires a mapping");
      byName = true;
    }
    const count = (given: string | undefined) => (given === "*" ? toIndex(next()) : Number(given ?? 0));
    const spec = { flags, width: count(width), precision: whole.includes(".") ? count(precision) : -1 };
    if (type === "%") {
      text += "%";
      continue;
    }
    const item = key === undefined ? next() : lookup(named!, key);
    const piece = padded(budget, conversion(budget, type, spec, item), spec);
    length += piece.length;
    budget.text(length);
    text += piece;
  }
  return finish(text);

  function finish(result: string): string {
    if (!byName && named === null && !mayRest && used < args.length) {
      throw typeError("not all arguments converted during string formatting");
    }
    budget.text(result.length);
    return result;
  }
}

function lookup(named: Dict, key: string): PyValue {
  const found = named.get(key);
  if (found === undefined) throw new TemplateError("KeyError", `'${key}'`);
  return found;
}

interface PercentSpec {
  readonly flags: string;
  readonly width: number;
  readonly precision: number;
}

/** A sign or prefix, which zeros follow, and the rest. */
type Parts = readonly [head: string, body: string, zeroPads: boolean];

function conversion(budget: Budget, type: string, { flags, precision }: PercentSpec, item: PyValue): Parts {
  const plus = flags.includes("+") ? "+" : flags.includes(" ") ? " " : "";
  limitPrecision(budget, precision);
  if (type === "s" || type === "r" || type === "a") {
    const text = type === "s" ? str(budget, item) : repr(budget, item);
    const ascii = type === "a" ? text.replace(/[^\0-\x7f]/gu, (char) => hexEscape(char.codePointAt(0)!)) : text;
    return ["", precision < 0 ? ascii : codePoints(ascii).slice(0, precision).join(""), false];
  }
  if (type === "c") return ["", character(item), false];
  if (item instanceof Undefined) throw item.error();
  if ("diuxXo".includes(type)) {
    const int = wholeNumber(type, item);
    const size = int < 0n ? -int : int;
    const radix = type === "o" ? 8 : type.toLowerCase() === "x" ? 16 : 10;
    const digits = radix === 10 ? intText(size) : size.toString(radix);
    const prefix = flags.includes("#") && radix !== 10 ? `0${type}` : "";
    const shown = type === "X" ? digits.toUpperCase() : digits;
    return [(int < 0n ? "-" : plus) + prefix, shown.padStart(Math.max(0, precision), "0"), true];
  }
  if (!"eEfFgG".includes(type))
    throw valueError(`unsupported format character '${type}' (0x${type.codePointAt(0)!.toString(16)})`);
  if (!isNumeric(item)) throw typeError(`must be real number, not ${typeName(item)}`);
  const float = toFloat(toNumber(item));
  const negative = float < 0 || Object.is(float, -0);
  const body = floatDigits(float, type, precision < 0 ? 6 : precision, flags.includes("#"));
  return [negative ? "-" : plus, body, true];
}

function character(item: PyValue): string {
  if (typeof item === "string" && codePointCount(item) === 1) return item;
  const int = asInt(item);
  if (int === null) throw typeError("%c requires int or char");
  if (int < 0n || int > 0x10ffffn) throw new TemplateError("OverflowError", "%c arg not in range(0x110000)");
  return String.fromCodePoint(Number(int));
}

function wholeNumber(type: string, item: PyValue): bigint {
  const int = asInt(item);
  if (int !== null) return int;
  if (typeof item === "number" && !"xXo".includes(type)) return truncateFloat(item);
  throw typeError(
    `%${type} format: ${"xXo".includes(type) ? "an integer" : "a real number"} is required, not ${typeName(item)}`,
  );
}

function padded(budget: Budget, [head, body, zeroPads]: Parts, { flags, width }: PercentSpec): string {
  const left = flags.includes("-") || width < 0;
  const missing = Math.max(0, Math.abs(width) - codePointCount(head + body));
  budget.text(head.length + body.length + missing);
  if (left) return head + body + " ".repeat(missing);
  const zeros = zeroPads && flags.includes("0") && /^[0-9a-fA-F]/.test(body) && !/^(inf|nan)/i.test(body);
  return zeros ? head + "0".repeat(missing) + body : " ".repeat(missing) + head + body;
}

function limitPrecision(budget: Budget, precision: number): void {
  if (precision > 1000) budget.text(precision * 64);
  if (precision > 4000) throw valueError("precision too large");
}

const SPEC = /^(?:(.)?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?(.)?$/su;

/** Python's `format(value, spec)`. */
export function formatValue(budget: Budget, value: PyValue, spec: string): string {
  if (spec === "") return str(budget, value);
  plain(value);
  if (value instanceof Undefined) throw typeError("unsupported format string passed to Undefined.__format__");
  const found = SPEC.exec(spec);
  if (found === null) throw valueError(`Invalid format specifier '${spec}' for object of type '${typeName(value)}'`);
  const [, fill, align, sign = "-", z, alternate, zero, width, group = "", precision, type = ""] = found;
  if (z !== undefined) throw unsupported("z in a format specification");
  const parsed: Spec = {
    ...{ sign, group, type, alternate: alternate !== undefined, width: Number(width ?? 0) },
    ...{ fill: fill ?? (zero === undefined ? " " : "0"), zero: zero !== undefined && align === undefined },
    ...{ align, precision: precision === undefined ? -1 : Number(precision) },
  };
  limitPrecision(budget, parsed.precision);
  if (typeof value === "string") return formatText(budget, value, parsed);
  if (isNumeric(value)) return formatNumber(budget, value, parsed);
  throw typeError(`unsupported format string passed to ${typeName(value)}.__format__`);
}

interface Spec {
  readonly fill: string;
  readonly align: string | undefined;
  readonly sign: string;
  readonly alternate: boolean;
  /** Zeros fill up after the sign. */
  readonly zero: boolean;
  readonly width: number;
  readonly group: string;
  readonly precision: number;
  readonly type: string;
}

function formatText(budget: Budget, value: string, spec: Spec): string {
  const { type, group, alternate, align, precision } = spec;
  if (type !== "" && type !== "s") throw valueError(`Unknown format code '${type}' for object of type 'str'`);
  if (group !== "") throw valueError(`Cannot specify '${group}' with 's'.`);
  if (alternate) throw valueError("Alternate form (#) not allowed in string format specifier");
  if (spec.sign !== "-") throw valueError("Sign not allowed in string format specifier");
  if (align === "=") throw valueError("'=' alignment not allowed in string format specifier");
  const text = precision < 0 ? value : codePoints(value).slice(0, precision).join("");
  return aligned(budget, "", text, spec, "<");
}

const INT_TYPES = new Map([
  ["", 10],
  ["d", 10],
  ["n", 10],
  ["b", 2],
  ["o", 8],
  ["x", 16],
  ["X", 16],
]);

function formatNumber(budget: Budget, value: boolean | bigint | number, spec: Spec): string {
  const { type, group, precision } = spec;
  const number = toNumber(value);
  if (typeof value === "boolean" && type === "")
    return spec.group === "" && precision < 0
      ? formatBool(budget, value, spec)
      : formatInt(budget, BigInt(value), spec);
  if (type === "s") throw valueError(`Unknown format code 's' for object of type '${typeName(value)}'`);
  if (typeof number === "bigint" && INT_TYPES.has(type)) return formatInt(budget, number, spec);
  if (typeof number === "bigint" && type === "c") return aligned(budget, "", character(number), spec, "<");
  if (!["", "e", "E", "f", "F", "g", "G", "n", "%"].includes(type)) {
    throw valueError(`Unknown format code '${type}' for object of type '${typeName(value)}'`);
  }
  const float = toFloat(number);
  const negative = float < 0 || Object.is(float, -0);
  const body = floatBody(float, spec);
  const grouped = group === "" || !/^\d/.test(body) ? body : groupDigits(body, group, 3);
  return aligned(budget, signOf(negative, spec.sign), grouped, spec, ">");
}

function formatBool(budget: Budget, value: boolean, spec: Spec): string {
  return formatInt(budget, BigInt(value), spec);
}

function floatBody(float: number, { type, precision, alternate }: Spec): string {
  if (type === "%") return `${floatDigits(float * 100, "f", precision < 0 ? 6 : precision, alternate)}%`;
  if (type !== "") return floatDigits(float, type === "n" ? "g" : type, precision < 0 ? 6 : precision, alternate);
  if (precision < 0 || !Number.isFinite(float)) return floatText(Math.abs(float));
  const text = general(Math.abs(float), precision, alternate, Math.max(1, precision) - 1);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function formatInt(budget: Budget, value: bigint, spec: Spec): string {
  const { type, group, precision, alternate } = spec;
  if (precision >= 0) throw valueError("Precision not allowed in integer format specifier");
  const radix = INT_TYPES.get(type) ?? 10;
  if (group === "," && radix !== 10) throw valueError(`Cannot specify ',' with '${type}'.`);
  const size = value < 0n ? -value : value;
  const digits = radix === 10 ? intText(size) : size.toString(radix);
  const grouped = group === "" ? digits : groupDigits(digits, group, radix === 10 ? 3 : 4);
  const prefix = alternate && radix !== 10 ? `0${type}` : "";
  const body = type === "X" ? grouped.toUpperCase() : grouped;
  return aligned(budget, signOf(value < 0n, spec.sign) + prefix, body, spec, ">");
}

function signOf(negative: boolean, sign: string): string {
  if (negative) return "-";
  return sign === "-" ? "" : sign;
}

function groupDigits(text: string, separator: string, every: number): string {
  const whole = /^[0-9a-f]+/.exec(text)![0];
  const parts: string[] = [];
  for (let end = whole.length; end > 0; end -= every) parts.unshift(whole.slice(Math.max(0, end - every), end));
  return parts.join(separator) + text.slice(whole.length);
}

function aligned(budget: Budget, head: string, body: string, spec: Spec, fallback: string): string {
  budget.text(spec.width);
  const numeric = fallback === ">";
  const align = spec.align ?? (spec.zero && numeric ? "=" : fallback);
  if (align === "=" && spec.fill === "0" && spec.group !== "") return zeroGrouped(head, body, spec);
  const missing = Math.max(0, spec.width - codePointCount(head + body));
  const pad = (count: number) => spec.fill.repeat(count);
  if (align === "<") return head + body + pad(missing);
  if (align === ">") return pad(missing) + head + body;
  if (align === "=") return head + pad(missing) + body;
  return pad(missing >> 1) + head + body + pad(missing - (missing >> 1));
}

/** Zeros before a number are grouped with its digits. */
function zeroGrouped(head: string, body: string, { group, width, type }: Spec): string {
  const every = ["b", "o", "x", "X"].includes(type) ? 4 : 3;
  const whole = /^[0-9a-fA-F,_]*/.exec(body)![0];
  const rest = body.slice(whole.length);
  let digits = whole.replaceAll(group, "");
  const size = () => head.length + groupDigits(digits.toLowerCase(), group, every).length + rest.length;
  while (size() < width) digits = `0${digits}`;
  const grouped = groupDigits(digits.toLowerCase(), group, every);
  return head + (type === "X" ? grouped.toUpperCase() : grouped) + rest;
}

/** How fields of `str.format` look things up: as a sandboxed template does. */
export interface FieldAccess {
  attribute(value: PyValue, name: string): PyValue;
  item(value: PyValue, key: PyValue): PyValue;
}

/** Python's `template.format(*args, **kwargs)`. */
export function braceFormat(
  budget: Budget,
  template: string,
  args: readonly PyValue[],
  kwargs: Kwargs,
  access: FieldAccess,
): string {
  const numbering = { next: 0, manual: false };
  return braces(budget, template, { args, kwargs, access, numbering }, 2);
}

interface Fields {
  readonly args: readonly PyValue[];
  readonly kwargs: Kwargs;
  readonly access: FieldAccess;
  readonly numbering: { next: number; manual: boolean };
}

function braces(budget: Budget, template: string, fields: Fields, depth: number): string {
  if (depth < 0) throw valueError("Max string recursion exceeded");
  let text = "";
  for (let at = 0; at < template.length; ) {
    const char = template[at]!;
    if (char !== "{" && char !== "}") {
      const next = template.slice(at).search(/[{}]/);
      const end = next < 0 ? template.length : at + next;
      text += template.slice(at, end);
      at = end;
    } else if (template[at + 1] === char) {
      text += char;
      at += 2;
    } else {
      if (char === "}") throw valueError("Single '}' encountered in format string");
      const end = fieldEnd(template, at);
      text += field(budget, template.slice(at + 1, end), fields, depth);
      at = end + 1;
    }
    budget.text(text.length);
  }
  return text;
}

function fieldEnd(template: string, start: number): number {
  let open = 0;
  for (let at = start; at < template.length; at++) {
    if (template[at] === "{") open++;
    if (template[at] === "}" && --open === 0) return at;
    if (template[at] === "[" && open === 1) {
      const close = template.indexOf("]", at);
      if (close > 0) at = close;
    }
  }
  throw valueError(
    start + 1 >= template.length ? "Single '{' encountered in format string" : "expected '}' before end of string",
  );
}

function field(budget: Budget, content: string, fields: Fields, depth: number): string {
  const found = /^((?:[^![:]|\[[^\]]*\])*)(?:!(.))?(?::(.*))?$/s.exec(content);
  if (found === null) throw valueError("expected ':' after conversion specifier");
  const [, path = "", conversionType, spec = ""] = found;
  const value = fieldValue(path, fields);
  const converted =
    conversionType === undefined
      ? value
      : conversionType === "r"
        ? repr(budget, value)
        : conversionType === "s"
          ? str(budget, value)
          : asciiOf(budget, conversionType, value);
  return formatValue(budget, converted, braces(budget, spec, fields, depth - 1));
}

function asciiOf(budget: Budget, conversionType: string, value: PyValue): string {
  if (conversionType !== "a") throw valueError(`Unknown conversion specifier '${conversionType}'`);
  return repr(budget, value).replace(/[^\0-\x7f]/gu, (char) => hexEscape(char.codePointAt(0)!));
}

function fieldValue(path: string, { args, kwargs, access, numbering }: Fields): PyValue {
  const first = /^[^.[]*/.exec(path)![0];
  let value: PyValue | undefined;
  if (first === "") {
    if (numbering.manual)
      throw valueError("cannot switch from manual field specification to automatic field numbering");
    value = args[numbering.next++];
    if (value === undefined)
      throw new TemplateError("IndexError", "Replacement index out of range for positional args tuple");
  } else if (/^\d+$/.test(first)) {
    if (numbering.next > 0)
      throw valueError("cannot switch from automatic field numbering to manual field specification");
    numbering.manual = true;
    value = args[Number(first)];
    if (value === undefined)
      throw new TemplateError("IndexError", "Replacement index out of range for positional args tuple");
  } else {
    value = kwargs.get(first);
    if (value === undefined) throw new TemplateError("KeyError", `'${first}'`);
  }
  const steps = /\.([^.[]*)|\[([^\]]*)\]|(.)/gs;
  for (const [, name, key, odd] of path.slice(first.length).matchAll(steps)) {
    if (odd !== undefined || name === "" || key === "") throw valueError("Empty attribute in format string");
    if (name !== undefined) value = access.attribute(value, name);
    else value = access.item(value, /^\d+$/.test(key!) ? BigInt(key!) : key!);
  }
  return value;
}
