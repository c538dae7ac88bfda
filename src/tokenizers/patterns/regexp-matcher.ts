/** Finds what a regular expression matches, as Rust's binding of Oniguruma goes through a text. */
import type { Matcher } from "../split-behavior.ts";

/** Searches from `from` on; null when nothing matches. Reads `start` and `end` of the result. */
export type PatternSearch = (text: string, from: number) => { readonly start: number; readonly end: number } | null;

/** `begin` is called for each text. An empty match right behind the last one does not count. */
export function matcherOf(begin: (text: string) => PatternSearch): Matcher {
  return (text) => {
    const search = begin(text);
    const matches: number[] = [];
    let last = 0; // the end of the last match
    let accepted = -1;
    for (let from = 0; from <= text.length; ) {
      const found = search(text, from);
      if (found === null) break;
      const { start, end } = found;
      if (start === end && end === accepted) {
        from = end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
        continue;
      }
      if (last !== start) matches.push(last, start, 0);
      matches.push(start, end, 1);
      last = end;
      accepted = end;
      from = end;
    }
    if (last !== text.length) matches.push(last, text.length, 0);
    return text === "" ? [0, 0, 0] : matches;
  };
}

/** The engine's own search. The expression must have the flag "g". */
export function nativeSearch(pattern: RegExp): PatternSearch {
  return (text, from) => {
    pattern.lastIndex = from;
    const match = pattern.exec(text);
    return match === null ? null : { start: match.index, end: match.index + match[0].length };
  };
}
