/** Where a text is cut, given matches of a delimiter. Rust counterpart: `NormalizedString::split`. */
import type { NormalizedString } from "./normalized-string.ts";

/** What becomes of the delimiters. */
export const BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;
export type Behavior = (typeof BEHAVIORS)[number];

/** Finds delimiters: triples of start, end, and 1 for a match or 0 for what lies between, which cover the text. */
export type Matcher = (text: string) => number[];

/** The same with matches and what lies between them exchanged. */
export function inverted(find: Matcher): Matcher {
  return (text) => {
    const matches = find(text);
    for (let m = 2; m < matches.length; m += 3) matches[m] = 1 - matches[m]!;
    return matches;
  };
}

/** Finds single characters, given by their code points. */
export function matcherOfChars(isMatch: (char: number) => boolean): Matcher {
  return (text) => {
    const matches: number[] = [];
    let last = 0;
    for (let i = 0; i < text.length; ) {
      const char = text.codePointAt(i)!;
      const next = i + (char > 0xffff ? 2 : 1);
      if (isMatch(char)) {
        if (last < i) matches.push(last, i, 0);
        matches.push(i, next, 1);
        last = next;
      }
      i = next;
    }
    if (last < text.length) matches.push(last, text.length, 0);
    return matches;
  };
}

export function splitAt(
  normalized: NormalizedString,
  find: Matcher,
  behavior: Behavior,
  push: (part: NormalizedString) => void,
): void {
  const matches = find(normalized.text);
  const cuts = behavior === "MergedWithNext" ? mergedWithNext(matches) : rangesOf(matches, behavior);
  for (let i = 0; i < cuts.length; i += 2) {
    if (cuts[i]! < cuts[i + 1]!) push(normalized.slice(cuts[i]!, cuts[i + 1]!));
  }
}

/** Pairs of start and end. */
function rangesOf(matches: readonly number[], behavior: Behavior): number[] {
  const ranges: number[] = [];
  let previous = 0;
  for (let m = 0; m < matches.length; m += 3) {
    const isMatch = matches[m + 2]!;
    if (behavior === "Removed" && isMatch === 1) continue;
    const merges =
      (behavior === "Contiguous" && isMatch === previous) ||
      (behavior === "MergedWithPrevious" && isMatch === 1 && previous === 0);
    if (merges && ranges.length > 0) ranges[ranges.length - 1] = matches[m + 1]!;
    else ranges.push(matches[m]!, matches[m + 1]!);
    previous = isMatch;
  }
  return ranges;
}

function mergedWithNext(matches: readonly number[]): number[] {
  const reversed: [number, number][] = [];
  let previous = 0;
  for (let m = matches.length - 3; m >= 0; m -= 3) {
    const isMatch = matches[m + 2]!;
    if (isMatch === 1 && previous === 0 && reversed.length > 0) reversed.at(-1)![0] = matches[m]!;
    else reversed.push([matches[m]!, matches[m + 1]!]);
    previous = isMatch;
  }
  return reversed.reverse().flat();
}
