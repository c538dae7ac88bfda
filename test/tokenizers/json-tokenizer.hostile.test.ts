/** Texts and patterns that are meant to break a tokenizer. */
import { describe, expect, test } from "vitest";
import { JsonTokenizer } from "../../src/tokenizers/json-tokenizer.ts";
import { goldenCases } from "./golden-cases.ts";

const components = goldenCases("components", () => null);
const named = (name: string) => new JsonTokenizer(components.find((each) => each.name === name)!.json);
const withPattern = (source: string) =>
  new JsonTokenizer({
    ...components.find(({ name }) => name === "model/bpe-fallback")!.json,
    pre_tokenizer: { type: "Split", pattern: { Regex: source }, behavior: "Isolated", invert: false },
  });

describe("patterns that engines never end with stop at a number of steps", () => {
  test.each([
    "(a+)+b",
    "(?:a|aa)+$",
    "(a*)*b",
    "(?:a?){40}a{40}b",
    "a*a*a*a*a*b",
    "(?=(a+)+b)a",
    "(?<=(a+)+b)c",
    "(a*)*(?=b)",
  ])("%s", (source) => {
    const tokenizer = withPattern(source);
    const started = performance.now();
    const text = `${"a".repeat(64)}c`;
    try {
      tokenizer.ids(text);
    } catch (error) {
      expect(String(error)).toMatch(/pattern takes more than \d+ steps to match a text/);
    }
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  test("the limit is reached, and said", () => {
    expect(() => withPattern("a(?=.*b)").ids(`${"a".repeat(8000)}b`)).toThrow(/pattern takes more than/);
  });

  test("with few steps they match as they should", () => {
    const pieces = (source: string, text: string) => withPattern(source).encode(text).words;
    expect(new Set(pieces("(a+)+b", "aaabaab")).size).toBe(2);
    expect(new Set(pieces("(?:ab?)+c|d", "ababcdd")).size).toBe(3);
  });

  test("a group that repeats very often matches, without an overflow of the stack", () => {
    const { words } = withPattern("(?:a|bb)*c").encode(`${"abb".repeat(20_000)}c`);
    expect(new Set(words).size).toBe(1);
  });

  test.each([
    ["[ab]+[ab]+[ab]+c", 3_000],
    ["(?:a?){30}a{30}b", 3_000],
    ["[ab]{0,900}[ab]{0,900}[ab]{0,900}c", 1_000],
    ["(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)(?:a|aa)c", 20_000],
    ["a+b", 150_000],
    ["a(?=.*b)", 150_000],
    ["(?:a{0,400})a*b", 20_000],
    ["(?>a*)b", 150_000],
  ])("%s in a text of %i characters", (source, length) => {
    const started = performance.now();
    try {
      expect(withPattern(source).encode("a".repeat(length)).ids.length).toBeGreaterThan(0);
    } catch (error) {
      expect(String(error)).toMatch(/pattern takes more than \d+ steps to match a text/);
    }
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe("long texts", () => {
  const SENTENCE = "The cat and the hat don't stop, 12345 times over there. ";
  const MEGABYTE = SENTENCE.repeat(Math.ceil(1_000_000 / SENTENCE.length));

  test.each(["model/llama2", "model/llama3", "model/gpt2-no-regex", "model/unigram-no-split", "model/word-piece"])(
    "%s: a line of one megabyte",
    (name) => {
      const tokenizer = named(name);
      const started = performance.now();
      const ids = tokenizer.ids(MEGABYTE);
      expect(performance.now() - started).toBeLessThan(20_000);
      expect(ids.length).toBeGreaterThan(100_000);
    },
  );

  test.each([
    "model/llama2",
    "model/llama3",
    "model/unigram",
    "model/word-piece-no-split",
    "pre-tokenizer/pattern-o200k",
  ])(
    "%s: words of 200,000 characters",
    (name) => {
      const tokenizer = named(name);
      const started = performance.now();
      for (const char of ["a", " ", "\n", "é", "世", "😀", "\u0301", "!", "the"])
        tokenizer.encode(char.repeat(200_000));
      expect(performance.now() - started).toBeLessThan(60_000);
    },
    120_000,
  );

  test("a long word has the tokens of short ones with a blank between them", () => {
    const llama = named("model/llama2");
    const once = llama.tokens("thethe ").ids.slice(0, -1);
    const many = llama.tokens("thethe ".repeat(500)).ids;
    expect(many.slice(0, once.length)).toEqual(once);
  });
});

test("half of a surrogate pair counts as U+FFFD", () => {
  for (const { name, json } of components) {
    const tokenizer = new JsonTokenizer(json);
    for (const text of ["a\ud83d", "\ude00 b", "\udc00\ud800", "the\ud800cat"]) {
      const whole = text.replace(/\p{Surrogate}/gu, "\ufffd");
      expect(tokenizer.encode(text), name).toEqual(tokenizer.encode(whole));
    }
  }
});
