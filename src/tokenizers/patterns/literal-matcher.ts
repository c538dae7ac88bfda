/** Finds a text as it is. */
import type { Matcher } from "../split-behavior.ts";

/** `wanted` must not be empty. */
export function literalMatcher(wanted: string): Matcher {
  return (text) => {
    const matches: number[] = [];
    let last = 0;
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, last)) {
      if (last < at) matches.push(last, at, 0);
      last = at + wanted.length;
      matches.push(at, last, 1);
    }
    if (last < text.length) matches.push(last, text.length, 0);
    return matches;
  };
}
