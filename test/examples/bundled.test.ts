import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { encodeRows } from "../../src/data/examples.ts";
import { parseTextRows } from "../../src/data/rows.ts";
import { pocket } from "../text/pretrained.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url);
const { trainBpe } = await import(new URL("pocket/bpe.js", EXAMPLES).href);

test("the sonnets are 154 different rows, each within a context of 512", () => {
  const texts = ["train", "valid"].flatMap((name) => {
    const file = `sonnets/${name}.jsonl`;
    const rows = parseTextRows(file, readFileSync(new URL(file, EXAMPLES)));
    encodeRows(file, rows, { tokenizer: pocket, vocabSize: pocket.vocabSize, contextLength: 512 });
    return rows.map((row) => (row.kind === "text" ? row.text : ""));
  });
  expect(new Set(texts).size).toBe(154);
  expect(texts.every((text) => [12, 14, 15].includes(text.split("\n").length))).toBe(true);
});

test("pair encoding merges the commonest pair, the lower tokens first, and never across words", () => {
  const { vocab, merges } = trainBpe(["abab abab cd cd"], 262, ["<s>"]);
  expect(merges.map((pair: string[]) => pair.join(" "))).toEqual(["a b", "Ġ c", "ab ab", "Ġc d", "Ġ abab"]);
  expect(vocab["<s>"]).toBe(0);
  expect(vocab.a).toBe(1 + "a".charCodeAt(0));
  expect(Object.values<number>(vocab).sort((a, b) => a - b)).toEqual(Array.from({ length: 262 }, (_, i) => i));
});

test("pair encoding says when the texts are too few for the vocabulary", () => {
  expect(() => trainBpe(["ab"], 300, [])).toThrow(/only 257 tokens of the 300/);
});
