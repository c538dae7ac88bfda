/**
 * Makes a matcher of a pattern of Oniguruma. The one place that chooses how it is matched: by the engine when that ends
 * in reasonable time, else by trying with a limit.
 */
import type { Matcher } from "../split-behavior.ts";
import { limitedSearch } from "./backtrack.ts";
import { parsePattern } from "./parse-pattern.ts";
import { matcherOf, nativeSearch } from "./regexp-matcher.ts";
import { isTame, toRegExp } from "./to-regexp.ts";

/** Throws FormatError when the pattern is wrong, UnsupportedError when it asks for what is not done here. */
export function compilePattern(source: string, path: string): Matcher {
  const tree = parsePattern(source, path);
  return matcherOf(isTame(tree) ? nativeSearch(toRegExp(tree)) : limitedSearch(tree, path));
}
