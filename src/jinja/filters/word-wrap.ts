/** Python's `textwrap.wrap`, with tabs and white space left as they are. */
import { codePointCount, codePointSlice, stripEnd } from "../values/code-points.ts";
import { valueError } from "../values/errors.ts";

export interface WrapOptions {
  readonly width: number;
  readonly breakLongWords: boolean;
  readonly breakOnHyphens: boolean;
}

const SPACE = "\\t\\n\\v\\f\\r ";
const WORD = "\\p{L}\\p{N}_";
const LETTER = "[\\p{L}_\\p{Nl}\\p{No}]";
const BEFORE_DASH = `(?<=[${WORD}!"'&.,?])`;

/** Pieces between which a line may end: white space, dashes, and words or their hyphenated parts. */
function pieces(text: string, onHyphens: boolean): string[] {
  if (!onHyphens) return text.split(/([\t\n\v\f\r ]+)/).filter((piece) => piece !== "");
  const hyphenated = `-(?:(?<=${LETTER}{2}-)|(?<=${LETTER}-${LETTER}-))(?=${LETTER}-?${LETTER})`;
  const word = `[^${SPACE}]+?(?:${hyphenated}|(?=[${SPACE}]|$)|${BEFORE_DASH}(?=-{2,}[${WORD}]))`;
  const pattern = new RegExp(`([${SPACE}]+|${BEFORE_DASH}-{2,}(?=[${WORD}])|${word})`, "u");
  return text.split(pattern).filter((piece) => piece !== "");
}

/** The lines of one paragraph. */
export function wordWrap(text: string, { width, breakLongWords, breakOnHyphens }: WrapOptions): string[] {
  if (width <= 0) throw valueError(`invalid width ${width} (must be > 0)`);
  const rest = pieces(text, breakOnHyphens).reverse();
  const blank = (piece: string) => stripEnd(piece) === "";
  const lines: string[] = [];
  while (rest.length > 0) {
    const line: string[] = [];
    let length = 0;
    if (lines.length > 0 && blank(rest.at(-1)!)) rest.pop();
    while (rest.length > 0 && length + codePointCount(rest.at(-1)!) <= width) {
      length += codePointCount(rest.at(-1)!);
      line.push(rest.pop()!);
    }
    const next = rest.at(-1);
    if (next !== undefined && codePointCount(next) > width) {
      const room = cut(next, width < 1 ? 1 : width - length, breakLongWords && breakOnHyphens);
      if (breakLongWords) {
        line.push(codePointSlice(next, 0, room));
        rest[rest.length - 1] = codePointSlice(next, room);
      } else if (line.length === 0) line.push(rest.pop()!);
    }
    if (line.length > 0 && blank(line.at(-1)!)) line.pop();
    if (line.length > 0) lines.push(line.join(""));
  }
  return lines;
}

/** How much of a long word goes into the room that is left: up to a hyphen, if there is one after a word's first sign. */
function cut(word: string, room: number, onHyphens: boolean): number {
  if (!onHyphens || codePointCount(word) <= room) return room;
  const part = codePointSlice(word, 0, room);
  const hyphen = part.lastIndexOf("-");
  if (hyphen <= 0 || !/[^-]/.test(part.slice(0, hyphen))) return room;
  return codePointCount(part.slice(0, hyphen)) + 1;
}
