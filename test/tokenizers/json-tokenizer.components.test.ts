/** Every part of the format against Rust's tokenizers; test/parity/tokenizer_cases.py made the file. */
import { describe, expect, test } from "vitest";
import { JsonTokenizer } from "../../src/tokenizers/json-tokenizer.ts";
import { goldenCases } from "./golden-cases.ts";

const hasPairs = /^(post-processor|truncation|padding)\/|^model\/word-piece$|^added\/mixed$/;
const components = goldenCases("components", (kind, i) => (hasPairs.test(kind) && i % 2 === 1 ? i + 5 : null));

test("every kind of part has its cases", () => {
  const kinds = new Set(components.map(({ name }) => name.split("/")[0]));
  expect([...kinds].sort()).toEqual(
    "added decoder model normalizer padding post-processor pre-tokenizer truncation".split(" "),
  );
  expect(components.length).toBeGreaterThan(170);
  for (const { name, rows } of components)
    if (!name.startsWith("truncation")) expect(rows.length, name).toBeGreaterThan(8);
});

describe.each(components)("$name", ({ json, rows }) => {
  const tokenizer = new JsonTokenizer(json);

  test("gives Rust's ids, offsets and texts", () => {
    for (const { text, pair, ids, offsets, decoded, skipped } of rows) {
      const encoding = tokenizer.encode(text, pair);
      expect(encoding.ids).toEqual(ids);
      expect(encoding.offsets).toEqual(offsets);
      expect(tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(decoded);
      expect(tokenizer.decode(ids)).toBe(skipped);
    }
  });
});

describe.each(goldenCases("unusual", () => null))("unusual: $name", ({ json, rows }) => {
  const tokenizer = new JsonTokenizer(json);

  test.each(rows)("$text", ({ text, ids, offsets, skipped }) => {
    const encoding = tokenizer.encode(text);
    expect(encoding.ids).toEqual(ids);
    expect(encoding.offsets).toEqual(offsets);
    expect(tokenizer.ids(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(skipped);
  });
});
