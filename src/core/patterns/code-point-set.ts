/** Sets of code points, looked up fast. */

/** Ranges as tables.ts writes them. */
export function readRanges(text: string): [first: number, last: number][] {
  let end = 0;
  return text.split(" ").map((range) => {
    const [step, more = "0"] = range.split("-");
    const first = end + Number.parseInt(step!, 36);
    end = first + Number.parseInt(more, 36);
    return [first, end];
  });
}

/** A character as regular expressions write it. */
export function charSource(char: number): string {
  return `\\u{${char.toString(16)}}`;
}

/** Ranges as a character class of a regular expression writes them. */
export function classRanges(ranges: readonly (readonly [number, number])[]): string {
  return ranges
    .map(([first, last]) => (first === last ? charSource(first) : `${charSource(first)}-${charSource(last)}`))
    .join("");
}

/**
 * Tells whether a code point matches a regular expression of one character and is in none of the ranges. Answers are
 * remembered, as asking a regular expression is slow.
 */
export function codePointSet(pattern: string, except = "", flag: "u" | "v" = "u"): (char: number) => boolean {
  const UNKNOWN = 0;
  const NO = 1;
  const YES = 2;
  const pages: (Uint8Array | undefined)[] = [];
  let matches: RegExp | null = null;
  return (char) => {
    let page = pages[char >> 8];
    if (page === undefined) {
      page = new Uint8Array(256);
      pages[char >> 8] = page;
    }
    const known = page[char & 255]!;
    if (known !== UNKNOWN) return known === YES;
    matches ??= new RegExp(`^${except === "" ? "" : `(?![${classRanges(readRanges(except))}])`}${pattern}$`, flag);
    const answer = matches.test(String.fromCodePoint(char));
    page[char & 255] = answer ? YES : NO;
    return answer;
  };
}
