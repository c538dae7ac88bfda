import { describe, expect, test } from "vitest";
import { fullMatch, matchStart } from "../../../src/adapt/method/python-pattern.ts";
import { FormatError, UnsupportedError } from "../../../src/core/errors.ts";
import { StepBudget } from "../../../src/core/patterns/match-program.ts";

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
  ["(?>a+)ab", "aaab", false],
  ["a++b", "aab", true],
  ["a*+a", "aa", false],
  ["a(?#note)b", "ab", true],
  ["a\\++", "a++", true], // a literal plus that repeats
  ["a{x}{,}b", "a{x}}}b", true],
  ["(a|ab)(c|bcd)(d*)", "abcd", true],
  ["(?:a|(?=b))*b", "aab", true],
  ["(a*)*", "aaaa", true],
  ["(?:(?:a|b)??c)*", "acbcc", true],
  ["\\bq\\B_proj\\b", "q_proj", true],
  ["(?<!x)proj", "proj", true],
  ["layers\\.(?!1\\b)\\d+", "layers.11", true],
  ["layers\\.(?!1\\b)\\d+", "layers.1", false],
])("fullMatch of %s and %s is %s", (pattern, text, matches) => {
  expect(fullMatch(pattern, "targetModules")(text)).toBe(matches);
});

test("matchStart finds from the start, and gives the named groups", () => {
  const match = matchStart("(?P<stack>encoder|decoder)\\.(\\d+)", "pattern");
  expect(match("encoder.3.attn")?.stack).toBe("encoder");
  expect(match("x.encoder.3")).toBeNull();
});

test.each([
  ["(a)?(?(1)b|c)", "conditional group"],
  ["(?i)a", "inline flags"],
  ["(?i:a)", "inline flags"],
  ["\\N{BULLET}", "named character"],
])("%s is refused by name", (pattern, name) => {
  expect(() => fullMatch(pattern, "targetModules")).toThrow(UnsupportedError);
  expect(() => fullMatch(pattern, "targetModules")).toThrow(name);
});

// What re.compile refuses.
test.each([
  "(",
  ")",
  "a**",
  "a*{2}",
  "*a",
  "^*",
  "(?P<1>a)",
  "(?P<a>x)(?P<a>y)",
  "(?P=b)",
  "\\1(a)",
  "(a\\1)",
  "[b-a]",
  "[a",
  "[\\d-a]",
  "\\q",
  "a{3,2}",
  "\\x1",
  "\\",
])("%s is no regular expression", (pattern) => {
  expect(() => fullMatch(pattern, "excludeModules")).toThrow(FormatError);
  expect(() => fullMatch(pattern, "excludeModules")).toThrow(`: ${JSON.stringify(pattern)}`);
});

describe("patterns that backtracking never ends with", () => {
  const name = "model.layers.10.self_attn.q_proj.lora_a.default.weight.and.more";
  test.each([
    "([a-z._0-9]+)+!",
    "(a|a|b|b|.)*!",
    "(.*)*!",
    "(.*.*.*.*.*.*.*.*)!",
    "(?:.?){60}.{60}!",
    "(?=(.+)+!)x|.*",
    "(?<=(.+)+!)x|.*",
    "(?>(.+)+)!",
    "(.+)+\\1+!",
    "((.*)*\\2)*!",
  ])("%s ends", (pattern) => {
    const started = performance.now();
    try {
      expect(fullMatch(pattern, "x")(name)).toBe(pattern.endsWith("|.*"));
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
      expect(String(error)).toMatch(/takes more than \d+ steps/);
    }
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test("the steps of several patterns count together", () => {
    const budget = new StepBudget(1000);
    const rules = Array.from({ length: 50 }, () => () => fullMatch("(\\w+\\.)+!", "x", budget)(name));
    expect(() => rules.map((rule) => rule())).toThrow(FormatError);
  });

  test("a repetition is not written out without end", () => {
    expect(() => fullMatch("((a{1000}){1000}){1000}", "x")).toThrow(/is too large/);
  });
});
