/**
 * Makes a matcher of a pattern of Oniguruma. The one place that chooses how it is matched: by JavaScript's own expressions
 * where they end in reasonable time, else by ours, which remembers what has failed.
 */

import { ProgramMatch } from "../../core/patterns/match-program.ts";
import { type Program, programOf } from "../../core/patterns/program.ts";
import type { Matcher } from "../split-behavior.ts";
import { parsePattern } from "./parse-pattern.ts";
import { matcherOf, nativeSearch, type PatternSearch } from "./regexp-matcher.ts";
import { toRegExp, triesOf } from "./to-regexp.ts";

/** Ways through a pattern that JavaScript's expressions try one after another at a place. */
const MOST_WAYS = 500;
/** Characters that attempts without a match may look at in one text, as if each went on to the end. */
const MOST_IN_VAIN = 5e7;

/** Throws FormatError when the pattern is wrong, UnsupportedError when it asks for what is not done here. */
export function compilePattern(source: string, path: string): Matcher {
  const tree = parsePattern(source, path);
  const { endless, ways } = triesOf(tree);
  if (endless > 1 || ways > MOST_WAYS) {
    const program = programOf(tree, path);
    return matcherOf((text) => rememberingSearch(program, text, path));
  }
  if (endless === 0) {
    const search = nativeSearch(toRegExp(tree, "gv"));
    return matcherOf(() => search);
  }
  const pattern = toRegExp(tree, "yv");
  const otherwise = (text: string) => rememberingSearch(programOf(tree, path), text, path);
  return matcherOf(() => guardedSearch(pattern, ways, otherwise));
}

/** JavaScript's own search, until too much of a text was looked at in vain. `pattern` has the flag "y". */
function guardedSearch(pattern: RegExp, ways: number, otherwise: (text: string) => PatternSearch): PatternSearch {
  let inVain = 0;
  let other: PatternSearch | null = null;
  return (text, from) => {
    for (let at = from; at <= text.length; ) {
      if (other !== null) return other(text, at);
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (match !== null) return { start: at, end: at + match[0].length };
      inVain += ways * (text.length - at);
      if (inVain > MOST_IN_VAIN) other = otherwise(text);
      at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    }
    return null;
  };
}

function rememberingSearch(program: Program, text: string, path: string): PatternSearch {
  const match = new ProgramMatch(program, text, path);
  return (_, from) => {
    const found = match.search(from);
    return found === null ? null : { start: found[0]!, end: found[1]! };
  };
}
