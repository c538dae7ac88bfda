import { expect, test } from "vitest";
import { fullMatch, matchStart } from "../../../src/adapt/method/python-pattern.ts";
import { FormatError, UnsupportedError } from "../../../src/core/errors.ts";

// What Python's re.fullmatch says.
test.each([
  [".*q_proj", "layers.0.q_proj", true],
  [".*q_proj", "layers.0.q_proj.bias", false],
  ["q|k", "k", true],
  ["q|k", "qk", false], // the alternatives are one group
  ["(?P<half>ab)(?P=half)", "abab", true],
  ["(?P<half>ab)(?P=half)", "abba", false],
  ["\\Alayers\\.\\d+\\Z", "layers.12", true],
  ["a{,2}", "aa", true],
  ["a{,2}", "aaa", false],
  ["[]x]+", "]x", true],
  ["[^]x]+", "]x", false],
  ["[^]x]+", "ab", true],
])("fullMatch of %s and %s is %s", (pattern, text, matches) => {
  expect(fullMatch(pattern, "targetModules")(text)).toBe(matches);
});

test("matchStart finds from the start, and gives the groups", () => {
  const match = matchStart("(?P<stack>encoder|decoder)\\.(\\d+)", "pattern");
  expect(match("encoder.3.attn")?.groups?.stack).toBe("encoder");
  expect(match("encoder.3.attn")?.[2]).toBe("3");
  expect(match("x.encoder.3")).toBeNull();
});

test.each([
  ["(a)?(?(1)b|c)", "conditional groups"],
  ["(?>a+)b", "atomic groups"],
  ["a(?#note)", "comments"],
  ["(?i)a", "inline flags"],
  ["(?i:a)", "inline flags"],
  ["a++", "possessive repeats"],
  ["a*+", "possessive repeats"],
])("%s is refused by name", (pattern, name) => {
  expect(() => fullMatch(pattern, "targetModules")).toThrow(UnsupportedError);
  expect(() => fullMatch(pattern, "targetModules")).toThrow(name);
});

test("a literal plus that repeats is no possessive repeat", () => {
  expect(fullMatch("a\\++", "x")("a++")).toBe(true);
});

test("what is no regular expression names option and pattern", () => {
  expect(() => fullMatch("(", "excludeModules")).toThrow(FormatError);
  expect(() => fullMatch("(", "excludeModules")).toThrow('excludeModules "(" is not a valid regular expression');
});
