import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FormatError, ShapeError, UnsupportedError } from "../../src/core/errors.ts";
import { countLabels, type EncodeRowsOptions, encodeRows } from "../../src/data/examples.ts";
import { parseRows } from "../../src/data/rows.ts";
import { pocket, pocketWith } from "../text/pretrained.ts";

const BOS = 0;
const EOS = 1;
const options: EncodeRowsOptions = { tokenizer: pocket, vocabSize: 1024, contextLength: 512 };

/** The examples of rows given as objects, as plain arrays. */
function encode(rows: object[], changes: Partial<EncodeRowsOptions> = {}) {
  const bytes = new TextEncoder().encode(rows.map((row) => JSON.stringify(row)).join("\n"));
  const examples = encodeRows("d.jsonl", parseRows("d.jsonl", bytes), { ...options, ...changes });
  return examples.map(({ inputIds, labels }) => ({ inputIds: [...inputIds], labels: [...labels] }));
}

function encodeText(text: string, changes: Partial<EncodeRowsOptions> = {}) {
  const rows = parseRows("d.txt", new TextEncoder().encode(text));
  return encodeRows("d.txt", rows, { ...options, ...changes }).map(({ inputIds }) => [...inputIds]);
}

const plain = (text: string) => pocket.encode(text, { addSpecialTokens: false });

test("a text is learned whole, between beginning and end", () => {
  const inputIds = [BOS, ...plain("Call me Ishmael."), EOS];
  expect(encode([{ text: "Call me Ishmael." }])).toEqual([{ inputIds, labels: inputIds }]);
});

test("an end that is there already is not doubled", () => {
  expect(encode([{ text: "whale</s>" }])[0]!.inputIds).toEqual([BOS, ...plain("whale"), EOS]);
});

test("of prompt and completion, the completion and the end are learned", () => {
  const [example] = encode([{ prompt: "Who is that?", completion: " A whale." }]);
  const inputIds = [BOS, ...plain("Who is that? A whale."), EOS];
  const learnt = [...plain(" A whale."), EOS];
  expect(example!.inputIds).toEqual(inputIds);
  expect(example!.labels).toEqual([...Array(inputIds.length - learnt.length).fill(-100), ...learnt]);
});

test("an empty prompt leaves all but the beginning to learn", () => {
  const [example] = encode([{ prompt: "", completion: "A whale." }]);
  expect(example!.labels).toEqual([-100, ...plain("A whale."), EOS]);
});

test("a conversation is learned where the assistant speaks", () => {
  const chatTemplate = "{% for m in messages %}{{ m.content }};{% endfor %}";
  const messages = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Ahoy" },
  ];
  const [example] = encode([{ messages }], { tokenizer: pocketWith({ chatTemplate }) });
  expect(pocket.decode(example!.labels.filter((label) => label !== -100))).toBe("Ahoy;");
  expect(() => encode([{ messages }])).toThrow(UnsupportedError);
});

test("given tokens stay as they are", () => {
  expect(encode([{ input_ids: [5, 6] }, { input_ids: [5, 6], labels: [-100, 9] }])).toEqual([
    { inputIds: [5, 6], labels: [5, 6] },
    { inputIds: [5, 6], labels: [-100, 9] },
  ]);
});

test("max length cuts rows off, and only then may a row be longer than the context", () => {
  const long = { input_ids: Array(600).fill(7) };
  expect(encode([long], { maxLength: 10 })[0]!.inputIds).toHaveLength(10);
  expect(() => encode([{ text: "a" }, long])).toThrow(FormatError);
  expect(() => encode([{ text: "a" }, long])).toThrow(
    /d\.jsonl:2: has 600 tokens, but the model's context is 512; .*maxLength/,
  );
  expect(encode([long], { contextLength: null })[0]!.inputIds).toHaveLength(600);
});

test("a max length that cannot work is refused before any row is read", () => {
  expect(() => encode([{ text: "a" }], { maxLength: 513 })).toThrow(ShapeError);
  expect(() => encode([{ text: "a" }], { maxLength: 513 })).toThrow(/max length is 513, it should be at most 512/);
  for (const maxLength of [1, 0, 2.5, Number.NaN]) {
    expect(() => encode([{ text: "a" }], { maxLength })).toThrow(/at least 2/);
  }
});

test("all rows that cannot be used are reported at once", () => {
  const chatTemplate = "{{ raise_exception('no talking') }}";
  const tokenizer = pocketWith({ chatTemplate });
  const rows = [
    { text: "fine" },
    { input_ids: [1, 1024] },
    { input_ids: [1, 2], labels: [1, 5000] },
    { input_ids: [1, 2], labels: [1] },
    { question: "q", context: "c" },
    { input_ids: [1, 2, 3], labels: [1, -100, -100] },
    { input_ids: [1] },
    { prompt: "word ".repeat(50), completion: "x" },
    { messages: [{ role: "assistant", content: "hi" }] },
  ];
  let text = "";
  try {
    encode(rows, { tokenizer, maxLength: 16 });
  } catch (error) {
    text = (error as Error).message;
  }
  expect(text).toMatch(/because of 8 rows/);
  expect(text).toMatch(/d\.jsonl:2: has token 1024, but the model's vocabulary has 1024 \(0 to 1023\)/);
  expect(text).toMatch(/d\.jsonl:3: has token 5000/);
  expect(text).toMatch(/d\.jsonl:4: "labels" has 1 numbers and "input_ids" 2/);
  expect(text).toMatch(/d\.jsonl:5: is a question with its context; CAUSAL_LM needs rows like {"text"}/);
  expect(text).toMatch(/d\.jsonl:6: has nothing to learn: all its labels are -100/);
  expect(text).toMatch(/d\.jsonl:7: has nothing to learn/);
  expect(text).toMatch(/d\.jsonl:8: has nothing to learn in its first 16 tokens of \d+/);
  expect(text).toMatch(/d\.jsonl:9: the chat template of pocket .*no talking/);
});

test("a tokenizer that does not fit the model is found by its tokens", () => {
  expect(() => encode([{ text: "whale" }], { vocabSize: 100 })).toThrow(
    /has token \d+, but the model's vocabulary has 100/,
  );
});

test("a plain text fills windows to the brim and loses no token", () => {
  const text = "It was the whiteness of the whale. ".repeat(40);
  const windows = encodeText(text, { maxLength: 32 });
  expect(windows.slice(0, -1).every((ids) => ids.length === 32 && ids[0] === BOS)).toBe(true);
  expect(windows.flatMap((ids) => ids.slice(1))).toEqual([...plain(text), EOS]);
  expect(encodeText(text, { contextLength: 64 })[0]).toHaveLength(64);
  expect(encodeText("short")).toEqual([[BOS, ...plain("short"), EOS]]);
});

test("a tokenizer that puts nothing around a text makes windows of nothing but text", () => {
  const json = JSON.parse(readFileSync(new URL("../../examples/pocket/tokenizer.json", import.meta.url), "utf8"));
  const tokenizer = pocketWith({ tokenizer: { ...json, post_processor: null } });
  const rows = parseRows("d.txt", new TextEncoder().encode("the whale"));
  const found = encodeRows("d.txt", rows, { ...options, tokenizer, maxLength: 2 });
  expect(found.every(({ inputIds }) => inputIds.length === 2 && inputIds[0] !== BOS)).toBe(true);
});

test("the first label does not count: nothing predicts it", () => {
  const example = (labels: number[]) => ({ inputIds: Int32Array.from(labels), labels: Int32Array.from(labels) });
  expect(countLabels(example([1, 2, 3]))).toBe(2);
  expect(countLabels(example([1, -100, -100]))).toBe(0);
});
