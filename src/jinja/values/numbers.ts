/** Python's numbers: exact ints, floats as JavaScript has them, and decimal digits of floats rounded half to even. */
import { strip } from "./code-points.ts";
import { TemplateError, typeError, valueError } from "./errors.ts";
import type { Budget } from "./limits.ts";
import { toNumber } from "./values.ts";

type Num = bigint | number;
export type Operator = "+" | "-" | "*" | "/" | "//" | "%" | "**";

/** `a operator b`. Throws ZeroDivisionError and OverflowError as Python does. */
export function arithmetic(budget: Budget, operator: Operator, a: boolean | Num, b: boolean | Num): Num {
  const [x, y] = [toNumber(a), toNumber(b)];
  if (typeof x === "bigint" && typeof y === "bigint") return ofInts(budget, operator, x, y);
  return ofFloats(operator, toFloat(x), toFloat(y));
}

function ofInts(budget: Budget, operator: Operator, a: bigint, b: bigint): Num {
  switch (operator) {
    case "+":
      return checked(budget, a + b);
    case "-":
      return checked(budget, a - b);
    case "*":
      budget.bits(bitLength(a) + bitLength(b));
      return a * b;
    case "/":
      if (b === 0n) throw divisionByZero("division by zero");
      return ratio(a, b);
    case "//":
      if (b === 0n) throw divisionByZero("integer division or modulo by zero");
      return floorDivide(a, b);
    case "%":
      if (b === 0n) throw divisionByZero("integer modulo by zero");
      return a - b * floorDivide(a, b);
    case "**":
      return intPower(budget, a, b);
  }
}

function checked(budget: Budget, value: bigint): bigint {
  if (value > 0xffffffffffffn || value < -0xffffffffffffn) budget.bits(bitLength(value));
  return value;
}

export function bitLength(value: bigint): number {
  const size = value < 0n ? -value : value;
  if (size === 0n) return 0;
  const hex = size.toString(16);
  return hex.length * 4 - Math.clz32(Number.parseInt(hex[0]!, 16)) + 28;
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

function intPower(budget: Budget, a: bigint, b: bigint): Num {
  if (b < 0n) {
    if (a === 0n) throw divisionByZero("0.0 cannot be raised to a negative power");
    return ofFloats("**", toFloat(a), toFloat(b));
  }
  const size = a < 0n ? -a : a;
  if (size > 1n) budget.bits(b > 1_000_000n ? Number.MAX_SAFE_INTEGER : bitLength(size) * Number(b));
  if (size > 1n) return a ** b;
  return size === 0n ? (b === 0n ? 1n : 0n) : b % 2n === 0n ? 1n : a;
}

function ofFloats(operator: Operator, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      if (b === 0) throw divisionByZero("float division by zero");
      return a / b;
    case "//":
      if (b === 0) throw divisionByZero("float floor division by zero");
      return floatFloor(a, b);
    case "%":
      if (b === 0) throw divisionByZero("float modulo");
      return floatModulo(a, b);
    case "**":
      return floatPower(a, b);
  }
}

/** The remainder with the sign of b. */
function floatModulo(a: number, b: number): number {
  const rest = a % b;
  if (rest === 0) return Object.is(b, Math.abs(b)) ? 0 : -0;
  return rest < 0 !== b < 0 ? rest + b : rest;
}

function floatFloor(a: number, b: number): number {
  const rest = a % b;
  let quotient = (a - rest) / b;
  if (rest !== 0 && rest < 0 !== b < 0) quotient -= 1;
  if (quotient === 0) return a / b < 0 || Object.is(a / b, -0) ? -0 : 0;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

function floatPower(a: number, b: number): number {
  if (a === 1 || b === 0) return 1;
  if (a === -1 && !Number.isFinite(b) && !Number.isNaN(b)) return 1;
  if (a === 0 && b < 0) throw divisionByZero("0.0 cannot be raised to a negative power");
  if (a < 0 && Number.isFinite(a) && Number.isFinite(b) && !Number.isInteger(b)) {
    throw new TemplateError("UnsupportedError", `${a} ** ${b} is a complex number, which templates here do not have`);
  }
  const power = a ** b;
  if (Number.isFinite(a) && Number.isFinite(b) && !Number.isFinite(power)) {
    throw new TemplateError("OverflowError", "(34, 'Numerical result out of range')");
  }
  return power;
}

function divisionByZero(reason: string): TemplateError {
  return new TemplateError("ZeroDivisionError", reason);
}

export function toFloat(value: Num): number {
  const float = Number(value);
  if (typeof value === "bigint" && !Number.isFinite(float)) {
    throw new TemplateError("OverflowError", "int too large to convert to float");
  }
  return float;
}

/** a / b, rounded once. */
function ratio(a: bigint, b: bigint): number {
  const [x, y] = [Number(a), Number(b)];
  if (Number.isSafeInteger(x) && Number.isSafeInteger(y)) return x / y;
  const negative = a < 0n !== b < 0n;
  const [top, bottom] = [a < 0n ? -a : a, b < 0n ? -b : b];
  const shift = 66 - (bitLength(top) - bitLength(bottom));
  const [n, d] = shift > 0 ? [top << BigInt(shift), bottom] : [top, bottom << BigInt(-shift)];
  const quotient = n / d;
  const value = Number(n % d === 0n ? quotient : quotient | 1n) * 2 ** -shift;
  if (!Number.isFinite(value)) {
    throw new TemplateError("OverflowError", "integer division result too large for a float");
  }
  return negative ? -value : value;
}

/** A finite float as a fraction, exactly. */
function fraction(value: number): { top: bigint; bottom: bigint } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(value));
  const raw = bits.getBigUint64(0);
  const exponent = Number(raw >> 52n);
  const mantissa = (raw & 0xfffffffffffffn) | (exponent === 0 ? 0n : 1n << 52n);
  const power = Math.max(exponent, 1) - 1075;
  return power >= 0 ? { top: mantissa << BigInt(power), bottom: 1n } : { top: mantissa, bottom: 1n << BigInt(-power) };
}

/** |value| · 10^digits as an integer, rounded half to even. */
function scaled(value: number, digits: number): bigint {
  let { top, bottom } = fraction(value);
  if (digits >= 0) top *= 10n ** BigInt(digits);
  else bottom *= 10n ** BigInt(-digits);
  const whole = top / bottom;
  const rest = (top % bottom) * 2n;
  return rest > bottom || (rest === bottom && whole % 2n === 1n) ? whole + 1n : whole;
}

/** |value| with so many digits after the point. */
export function fixedDigits(value: number, digits: number): string {
  const text = String(scaled(value, digits)).padStart(digits + 1, "0");
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** |value| as digits and an exponent: d.ddd · 10^exponent, with so many digits after the point. */
export function exponentDigits(value: number, digits: number): { digits: string; exponent: number } {
  if (value === 0) return { digits: "0".repeat(digits + 1), exponent: 0 };
  let exponent = Number(Math.abs(value).toExponential().split("e")[1]);
  let text = String(scaled(value, digits - exponent));
  if (text.length > digits + 1) {
    exponent++;
    text = String(scaled(value, digits - exponent));
  }
  return { digits: text, exponent };
}

/** Python's `round(value, digits)` of a float. */
export function roundFloat(value: number, digits: number): number {
  if (!Number.isFinite(value) || digits > 323) return value;
  if (digits < -308) return value < 0 ? -0 : 0;
  const text = digits >= 0 ? fixedDigits(value, digits) : `${scaled(value, digits)}e${-digits}`;
  const size = Number(text);
  if (!Number.isFinite(size)) throw new TemplateError("OverflowError", "rounded value too large to represent");
  return value < 0 || Object.is(value, -0) ? -size : size;
}

/** Python's `round(value, digits)` of an int: half to even where digits are below 0. */
export function roundInt(value: bigint, digits: number): bigint {
  if (digits >= 0) return value;
  if (-digits > String(value).length + 1) return 0n;
  const unit = 10n ** BigInt(-digits);
  const rest = ((value % unit) + unit) % unit;
  const down = value - rest;
  const up = rest * 2n > unit || (rest * 2n === unit && (down / unit) % 2n !== 0n);
  return up ? down + unit : down;
}

/** Python's `int(value)` of a float. */
export function truncateFloat(value: number): bigint {
  if (Number.isNaN(value)) throw valueError("cannot convert float NaN to integer");
  if (!Number.isFinite(value)) throw new TemplateError("OverflowError", "cannot convert float infinity to integer");
  return BigInt(Math.trunc(value));
}

/** More digits than Python's own limit for ints as text. */
const MAX_INT_DIGITS = 4300;

/** Text of an int; Python refuses longer ones. */
export function intText(value: bigint): string {
  const text = String(value);
  if (text.length > MAX_INT_DIGITS + (value < 0n ? 1 : 0))
    throw valueError("Exceeds the limit for integer string conversion");
  return text;
}

/** Python's `int(text, base)`. */
export function parseInteger(text: string, base = 10): bigint {
  const wrong = () => valueError(`invalid literal for int() with base ${base}: '${text}'`);
  if (base !== 0 && (base < 2 || base > 36)) throw valueError("int() base must be >= 2 and <= 36, or 0");
  const found = /^([+-]?)(0[xXoObB]_?)?([0-9a-zA-Z_]+)$/.exec(asciiDigits(strip(text)));
  if (found === null) throw wrong();
  const [, sign, prefix = ""] = found;
  const marked = new Map([
    ["x", 16],
    ["o", 8],
    ["b", 2],
  ]).get(prefix.slice(1, 2).toLowerCase());
  const prefixed = marked !== undefined && (base === 0 || base === marked);
  const radix = prefixed ? marked : base === 0 ? 10 : base;
  const digits = prefixed ? found[3]! : `${prefix}${found[3]}`;
  if (/^_|__|_$/.test(digits)) throw wrong();
  const plain = digits.replaceAll("_", "");
  if (base === 0 && !prefixed && /^0+[1-9]/.test(plain)) throw wrong();
  if (plain.length > MAX_INT_DIGITS) throw valueError("Exceeds the limit for integer string conversion");
  const digit = (char: string) => Number.parseInt(char, 36);
  if ([...plain].some((char) => !(digit(char) < radix))) throw wrong();
  const value =
    radix === 10 ? BigInt(plain) : [...plain].reduce((sum, char) => sum * BigInt(radix) + BigInt(digit(char)), 0n);
  return sign === "-" ? -value : value;
}

/** Python's `float(text)`. */
export function parseFloatText(text: string): number {
  const plain = asciiDigits(strip(text));
  const named = /^([+-]?)(inf|infinity|nan)$/i.exec(plain);
  if (named !== null) {
    const size = named[2]!.toLowerCase() === "nan" ? Number.NaN : Number.POSITIVE_INFINITY;
    return named[1] === "-" ? -size : size;
  }
  const digits = plain.replace(/(?<=\d)_(?=\d)/g, "");
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(digits)) return Number(digits);
  throw valueError(`could not convert string to float: '${text}'`);
}

/** Decimal digits of all scripts as those of ASCII. */
function asciiDigits(text: string): string {
  return text.replace(/[^\0-\x7f]/gu, (char) =>
    /\p{Nd}/u.test(char) ? String(digitValue(char.codePointAt(0)!)) : char,
  );
}

/** Each script's ten digits follow one another; those of mathematics are five sets in a row. */
function digitValue(codePoint: number): number {
  if (codePoint >= 0x1d7ce && codePoint <= 0x1d7ff) return (codePoint - 0x1d7ce) % 10;
  let value = 0;
  while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(codePoint - value - 1))) value++;
  return value;
}

/** -value, +value. */
export function signed(sign: "-" | "+", value: boolean | Num): Num {
  const number = toNumber(value);
  return sign === "-" ? -number : number;
}

export function absolute(value: unknown): Num {
  if (typeof value === "boolean") return BigInt(value);
  if (typeof value === "bigint") return value < 0n ? -value : value;
  if (typeof value === "number") return Math.abs(value);
  throw typeError("bad operand type for abs()");
}
