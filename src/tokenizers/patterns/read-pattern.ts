/** The `pattern` of a part: `{"String": text}` or `{"Regex": expression}`. */
import { type Fields, isObject, wrong } from "../fields.ts";
import type { Matcher } from "../split-behavior.ts";
import { compilePattern } from "./compile-pattern.ts";
import { literalMatcher } from "./literal-matcher.ts";

export function readPattern(fields: Fields): Matcher {
  const pattern = fields.raw("pattern");
  const path = `${fields.path}.pattern`;
  if (isObject(pattern) && Object.keys(pattern).length === 1) {
    if (typeof pattern.String === "string" && pattern.String !== "") return literalMatcher(pattern.String);
    if (pattern.String === "") return compilePattern("", path);
    if (typeof pattern.Regex === "string") return compilePattern(pattern.Regex, path);
  }
  throw wrong(path, pattern, '{"String": text} or {"Regex": expression}');
}
