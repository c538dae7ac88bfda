/** TEMP */
import type { Matcher } from "../split-behavior.ts";
import { matcherOf, nativeSearch } from "./regexp-matcher.ts";
export function compilePattern(source: string, path: string): Matcher {
  return matcherOf(nativeSearch(new RegExp(source.replace(/\(\?i:|\(\?i\)/g, "(?:"), "gv")));
}
