import { expect, test } from "vitest";
import type { Task } from "../../src/core/task.ts";
import { encodeRows } from "../../src/data/examples.ts";
import { previewExample } from "../../src/data/preview-example.ts";
import { parseTextRows } from "../../src/data/rows.ts";
import { pocket } from "../text/pretrained.ts";

function preview(row: object, task: Task, labelNames: string[] | null = null, maxLength: number | null = null) {
  const rows = parseTextRows("d.jsonl", new TextEncoder().encode(JSON.stringify(row)));
  const options = { task, labelNames, maxLength, tokenizer: pocket, vocabSize: 1024, contextLength: 512 };
  return previewExample(encodeRows("d.jsonl", rows, options)[0]!, { task, tokenizer: pocket, labelNames });
}
const learned = (tokens: readonly { text: string; learned: boolean }[]) =>
  tokens.map((token) => (token.learned ? token.text : "")).join("");

test("of a completion its own tokens are learned", () => {
  const { tokens, label, target, where } = preview({ prompt: "Who?", completion: " A whale." }, "CAUSAL_LM");
  expect(learned(tokens)).toBe(" A whale.</s>");
  expect({ label, target, where }).toEqual({ label: null, target: null, where: "d.jsonl:1" });
});

test("of a text its class is, by its name", () => {
  const found = preview({ text: "A whale.", label: "b" }, "SEQ_CLS", ["a", "b"]);
  expect(found).toMatchObject({ label: "b", learned: 1 });
  expect(learned(found.tokens)).toBe("");
});

test("of words their classes are, on their first tokens", () => {
  const found = preview({ tokens: ["Ahab", "sails"], labels: ["P", "O"] }, "TOKEN_CLS", ["O", "P"]);
  expect(found).toMatchObject({ label: "P O", learned: 2 });
  expect(found.tokens.filter((token) => token.learned)).toHaveLength(2);
});

test("of a source its target is", () => {
  const { tokens, target } = preview({ source: "the whale", target: "white" }, "SEQ_2_SEQ_LM");
  expect(learned(tokens)).toBe("");
  expect(learned(target!)).toContain("white");
});

test("of a question the answer's tokens in the context are", () => {
  const row = { question: "Color?", context: "The whale is white.", answers: [{ text: "white", answer_start: 13 }] };
  const { tokens, label } = preview(row, "QUESTION_ANS");
  expect(learned(tokens).trim()).toContain("white");
  expect(learned(tokens)).not.toContain("whale");
  expect(label).toBe("white");
});

test("a row that was cut tells its length", () => {
  expect(preview({ input_ids: [5, 6, 7, 8] }, "CAUSAL_LM", null, 3)).toMatchObject({ uncut: 4, learned: 2 });
});

test("tokens that nothing can write as text are shown by their numbers", () => {
  const example = { inputIds: Int32Array.of(5, 6), labels: Int32Array.of(-100, 6) };
  const { tokens } = previewExample(example, { task: "CAUSAL_LM", tokenizer: null, labelNames: null });
  expect(tokens.map(({ text, learned }) => [text, learned])).toEqual([
    ["5", false],
    [" 6", true],
  ]);
});
