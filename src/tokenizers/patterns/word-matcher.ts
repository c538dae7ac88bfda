/** Words and signs as Rust's crate regex finds them: `\w+|[^\w\s]+`. */

import { classRanges, readRanges } from "../../core/patterns/code-point-set.ts";
import type { Matcher } from "../split-behavior.ts";
import { AFTER_16 } from "../unicode/tables.ts";
import { matcherOf, nativeSearch } from "./regexp-matcher.ts";

const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";

export function wordMatcher(): Matcher {
  const word = `[[${WORD}]--[${classRanges(readRanges(AFTER_16))}]]`;
  const search = nativeSearch(new RegExp(`${word}+|[^${word}\\p{White_Space}]+`, "gv"));
  return matcherOf(() => search);
}

/** Whether a character is one of a word. */
export function wordCharacter(): RegExp {
  return new RegExp(`^[[${WORD}]--[${classRanges(readRanges(AFTER_16))}]]$`, "v");
}
