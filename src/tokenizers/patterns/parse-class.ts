/** Bracketed classes of Oniguruma's patterns, and escapes of single characters. */
import { FormatError } from "../../core/errors.ts";
import { charSource } from "../../core/patterns/code-point-set.ts";
import type { PatternReader } from "../../core/patterns/pattern-reader.ts";
import { foldRange, rangeFoldsToSeveral } from "./case-folding.ts";
import { posixSet, propertySet, shorthandSet } from "./named-sets.ts";

const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 27 };

/** Reads a class behind its "[". Returns it as a class of a regular expression. */
export function readClass(reader: PatternReader, ignoresCase: boolean): string {
  const negative = reader.take("^");
  const operands: string[] = [];
  let members = "";
  for (let isFirst = true; isFirst || !reader.take("]"); isFirst = false) {
    if (reader.atEnd) throw reader.wrong("has a class without its end");
    if (reader.take("&&")) {
      operands.push(`[${members}]`);
      members = "";
    } else members += readMember(reader, ignoresCase, isFirst);
  }
  operands.push(`[${members}]`);
  return `[${negative ? "^" : ""}${operands.join("&&")}]`;
}

function readMember(reader: PatternReader, ignoresCase: boolean, isFirst: boolean): string {
  if (reader.take("[:")) return readPosix(reader);
  if (reader.take("[")) return readClass(reader, ignoresCase);
  const first = readClassChar(reader, isFirst);
  if (typeof first === "string") return first;
  const isRange = reader.peek === "-" && reader.peekAt(1) !== "]" && reader.peekAt(1) !== "";
  if (!isRange) return folded(reader, first, first, ignoresCase);
  reader.take("-");
  if (reader.peekAt(0) === "[") throw reader.unsupported("has a range that ends with a class");
  const last = readClassChar(reader, false);
  if (typeof last === "string") throw reader.wrong("has a range that ends with a class");
  if (last < first) throw reader.wrong("has an empty range");
  return folded(reader, first, last, ignoresCase);
}

function folded(reader: PatternReader, first: number, last: number, ignoresCase: boolean): string {
  const source = first === last ? charSource(first) : `${charSource(first)}-${charSource(last)}`;
  if (!ignoresCase) return source;
  if (rangeFoldsToSeveral(first, last))
    throw reader.unsupported("ignores the case of a character that folds to several");
  return source + foldRange(first, last).map(charSource).join("");
}

function readPosix(reader: PatternReader): string {
  const negative = reader.take("^");
  const name = reader.takeUntil(":]");
  const set = posixSet(name, negative);
  if (set !== null) return set;
  throw reader.wrong(`has the unknown class [:${name}:]`);
}

/** A character, or a set that is written with a backslash. */
function readClassChar(reader: PatternReader, isFirst: boolean): number | string {
  if (!reader.take("\\")) {
    if (reader.peek === "]" && !isFirst) throw reader.wrong("has a range without its end");
    return reader.char();
  }
  const letter = reader.peek;
  if (letter === "b") {
    reader.take("b");
    return 8;
  }
  return readSetEscape(reader, true) ?? readCharEscape(reader);
}

/** A set such as \w or \p{L}, behind the backslash; null when it is a character. */
export function readSetEscape(reader: PatternReader, inBrackets: boolean): string | null {
  const letter = reader.peek;
  const set = shorthandSet(letter, inBrackets);
  if (set !== null) {
    reader.take(letter);
    return set;
  }
  if (letter !== "p" && letter !== "P") return null;
  reader.take(letter);
  if (!reader.take("{")) throw reader.unsupported(`has \\${letter} without a name in braces`);
  const negative = reader.take("^") !== (letter === "P");
  const name = reader.takeUntil("}");
  const found = propertySet(name, negative);
  if (found !== null) return found;
  throw reader.unsupported(`names the property ${JSON.stringify(name)}, which is not known here`);
}

/** A single character, behind the backslash. */
export function readCharEscape(reader: PatternReader): number {
  const letter = reader.peek;
  if (/^[^0-9A-Za-z]$/u.test(letter) || letter === "_") return reader.char();
  reader.take(letter);
  const control = CONTROLS[letter];
  if (control !== undefined) return control;
  if (letter === "0" && !/[0-7]/.test(reader.peek)) return 0;
  if (letter === "x")
    return reader.take("{") ? fromHex(reader, reader.takeUntil("}")) : fromHex(reader, reader.takeHex(2));
  if (letter === "u") return fromHex(reader, reader.takeHex(4));
  throw reader.unsupported(`has \\${letter}, which is not supported`);
}

function fromHex(reader: PatternReader, digits: string): number {
  const char = /^[0-9A-Fa-f]{1,8}$/.test(digits) ? Number.parseInt(digits, 16) : -1;
  if (char >= 0 && char <= 0x10ffff) return char;
  throw new FormatError(`${reader.path} has the bad code point "${digits}"`);
}
