/** Strings as Python has them: sequences of code points, with Python's notion of white space and of line ends. */

const SURROGATE = /[\ud800-\udfff]/;

/** Whether each code point is one UTF-16 unit, so that JavaScript's own indices are right. */
function isNarrow(text: string): boolean {
  return !SURROGATE.test(text);
}

export function codePoints(text: string): string[] {
  return Array.from(text);
}

export function codePointCount(text: string): number {
  if (isNarrow(text)) return text.length;
  let count = 0;
  for (let at = 0; at < text.length; count++) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return count;
}

/** Code points [start, end). */
export function codePointSlice(text: string, start: number, end?: number): string {
  if (isNarrow(text)) return text.slice(start, end);
  const from = walk(text, 0, start);
  return text.slice(from, end === undefined ? undefined : walk(text, from, Math.max(0, end - start)));
}

/** The index of the unit so many code points behind `from`. */
function walk(text: string, from: number, count: number): number {
  let at = from;
  for (let i = 0; i < count && at < text.length; i++) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return at;
}

/** The index in UTF-16 units of a code point. */
export function unitIndex(text: string, codePoint: number): number {
  return isNarrow(text) ? codePoint : walk(text, 0, codePoint);
}

/** The index in code points of a UTF-16 unit, or -1 for -1. */
export function codePointIndex(text: string, unit: number): number {
  return unit < 0 ? unit : codePointCount(text.slice(0, unit));
}

/** `str.isspace` of one character. */
export function isSpace(unit: number): boolean {
  if (unit < 0x80) return (unit >= 9 && unit <= 13) || (unit >= 28 && unit <= 32);
  if (unit >= 0x2000 && unit <= 0x200a) return true;
  return [0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000].includes(unit);
}

export function isBlank(text: string): boolean {
  return stripStart(text) === "";
}

export function stripStart(text: string, chars: string | null = null): string {
  const drops = dropper(chars);
  let start = 0;
  while (start < text.length && drops(text.codePointAt(start)!)) start += text.codePointAt(start)! > 0xffff ? 2 : 1;
  return text.slice(start);
}

export function stripEnd(text: string, chars: string | null = null): string {
  const drops = dropper(chars);
  let end = text.length;
  while (end > 0) {
    const pair = end > 1 && text.codePointAt(end - 2)! > 0xffff;
    if (!drops(text.codePointAt(pair ? end - 2 : end - 1)!)) break;
    end -= pair ? 2 : 1;
  }
  return text.slice(0, end);
}

export function strip(text: string, chars: string | null = null): string {
  return stripEnd(stripStart(text, chars), chars);
}

function dropper(chars: string | null): (codePoint: number) => boolean {
  if (chars === null) return isSpace;
  const set = new Set(codePoints(chars).map((char) => char.codePointAt(0)!));
  return (codePoint) => set.has(codePoint);
}

/** Splits at runs of white space, as `str.split()` does, at most `limit` times. */
export function splitAtSpace(text: string, limit = Number.POSITIVE_INFINITY): string[] {
  const found: string[] = [];
  const skip = (from: number, space: boolean): number => {
    let at = from;
    while (at < text.length && isSpace(text.charCodeAt(at)) === space) at++;
    return at;
  };
  for (let start = skip(0, true); start < text.length; ) {
    if (found.length >= limit) return [...found, text.slice(start)];
    const end = skip(start, false);
    found.push(text.slice(start, end));
    start = skip(end, true);
  }
  return found;
}

const LINE_ENDS = [0x0a, 0x0b, 0x0c, 0x0d, 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029];

/** `str.splitlines`. */
export function splitLines(text: string, keepEnds = false): string[] {
  const end = new RegExp(`\r\n|[${String.fromCharCode(...LINE_ENDS)}]`, "g");
  const lines: string[] = [];
  let start = 0;
  for (const { index, 0: mark } of text.matchAll(end)) {
    lines.push(text.slice(start, keepEnds ? index + mark.length : index));
    start = index + mark.length;
  }
  if (start < text.length) lines.push(text.slice(start));
  return lines;
}
