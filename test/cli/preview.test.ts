import { expect, test } from "vitest";
import { previewText } from "../../src/cli/preview.ts";
import type { ExamplePreview } from "../../src/data/preview-example.ts";

const token = (text: string, learned: boolean, id = 1) => ({ id, text, learned });
const example: ExamplePreview = {
  where: "d.jsonl:3",
  tokens: [token("a", false), token("b\x1b[31m", false), token("c\n", true), token("d", true)],
  target: null,
  label: null,
  learned: 2,
  uncut: 9,
};

test("what is learned is marked, and control characters are harmless", () => {
  expect(previewText([example], false)).toBe(
    "⟦learned⟧ not learned\n\nd.jsonl:3 · 4 tokens · cut from 9 · 2 learned\nab\\x1b[31m⟦c\nd⟧",
  );
});

test("in a terminal it is colored, line by line", () => {
  expect(previewText([example], true)).toContain("\x1b[2mab\\x1b[31m\x1b[0m\x1b[1;32mc\x1b[0m\n\x1b[1;32md\x1b[0m");
});

test("a label and a target stand below", () => {
  const text = previewText([{ ...example, target: [token("t", true)], label: "yes" }], false);
  expect(text).toContain("\ntarget: ⟦t⟧\nlabel: ⟦yes⟧");
});
