/** Pairs, words and offsets against Hugging Face's tokenizers; test/parity/make_data_goldens.py made the files. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Tokenizer } from "../../src/text/tokenizer.ts";
import { pocket } from "./pretrained.ts";

interface Expected {
  readonly specials: Record<string, string>;
  readonly samples: { text: string; ids: number[]; offsets: [number, number][] }[];
  readonly pairs: {
    first: string;
    second: string | null;
    maxLength: number;
    truncation: "longest_first" | "only_second";
    ids: number[];
    types: number[];
    sequences: (0 | 1 | null)[];
  }[];
  readonly words: { words: string[]; maxLength: number; ids: number[]; wordIds: (number | null)[] }[];
}

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../golden/tokenizers/${name}.json`, import.meta.url), "utf8"));

describe.each(["word-piece", "unigram", "unigram-spaces", "byte-level", "sentence-piece"])("%s", (name) => {
  const expected: Expected = read(`${name}.expected`);
  const tokenizer = new Tokenizer(name, { tokenizer: read(name), config: expected.specials });

  test.each(expected.samples)("tokens and offsets of $text", ({ text, ids, offsets }) => {
    expect(tokenizer.encode(text, { addSpecialTokens: false })).toEqual(ids);
    expect(tokenizer.offsets(text)).toEqual(offsets);
  });

  test("pairs have their special tokens and types, and are cut where transformers cuts them", () => {
    expect(expected.pairs.length).toBeGreaterThan(9);
    for (const { first, second, maxLength, truncation, ids, types, sequences } of expected.pairs) {
      const found = tokenizer.encodePair(first, second, { maxLength, truncation });
      expect(found.inputIds).toEqual(ids);
      expect(found.tokenTypes).toEqual(types);
      expect(found.sequenceIds).toEqual(sequences);
    }
  });

  test.each(expected.words)(
    "of words, each token knows its own (at most $maxLength)",
    ({ words, maxLength, ...known }) => {
      const { inputIds, wordIds } = tokenizer.encodeWords(words, { maxLength });
      expect(inputIds).toEqual(known.ids);
      expect(wordIds).toEqual(known.wordIds);
    },
  );
});

test("a place is the token's number in its own text, before anything was cut", () => {
  const { places, sequenceIds } = pocket.encodePair("a whale", "another whale", {});
  const own = (sequence: number) => places.filter((_, i) => sequenceIds[i] === sequence);
  expect(own(0)).toEqual(pocket.encode("a whale", { addSpecialTokens: false }).map((_, i) => i));
  expect(own(1)).toEqual(pocket.encode("another whale", { addSpecialTokens: false }).map((_, i) => i));
});
