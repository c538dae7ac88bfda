import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FormatError, ShapeError, UnsupportedError } from "../../src/core/errors.ts";
import { countLabels, type EncodeRowsOptions, encodeRows } from "../../src/data/examples.ts";
import { encodePrompts } from "../../src/data/prompts.ts";
import { parseTextRows } from "../../src/data/rows.ts";
import { pocket, pocketWith } from "../text/pretrained.ts";

const BOS = 0;
const EOS = 1;
const options: EncodeRowsOptions = { tokenizer: pocket, vocabSize: 1024, contextLength: 512 };

/** The examples of rows given as objects, as plain arrays. */
function encode(rows: object[], changes: Partial<EncodeRowsOptions> = {}) {
  const bytes = new TextEncoder().encode(rows.map((row) => JSON.stringify(row)).join("\n"));
  const examples = encodeRows("d.jsonl", parseTextRows("d.jsonl", bytes), { ...options, ...changes });
  return examples.map(({ inputIds, labels }) => ({ inputIds: [...inputIds], labels: [...labels] }));
}

function encodeText(text: string, changes: Partial<EncodeRowsOptions> = {}) {
  const rows = parseTextRows("d.txt", new TextEncoder().encode(text));
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
    encode(rows, { tokenizer, maxLength: 16, labelsCut: "error" });
  } catch (error) {
    text = (error as Error).message;
  }
  expect(text).toMatch(/because of 8 rows/);
  expect(text).toMatch(/d\.jsonl:2: has token 1024, but the model's vocabulary has 1024 \(0 to 1023\)/);
  expect(text).toMatch(/d\.jsonl:3: has token 5000/);
  expect(text).toMatch(/d\.jsonl:4: "labels" has 1 numbers and "input_ids" 2/);
  expect(text).toMatch(/d\.jsonl:5: is a question with its context; CAUSAL_LM needs rows like {"text"}/);
  expect(text).toMatch(/d\.jsonl:6: has nothing to learn: it is empty, has one token, or all its labels are -100/);
  expect(text).toMatch(/d\.jsonl:7: has nothing to learn/);
  expect(text).toMatch(/d\.jsonl:8: has nothing to learn: max length cuts off all its labels/);
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
  const rows = parseTextRows("d.txt", new TextEncoder().encode("the whale"));
  const found = encodeRows("d.txt", rows, { ...options, tokenizer, maxLength: 2 });
  expect(found.every(({ inputIds }) => inputIds.length === 2 && inputIds[0] !== BOS)).toBe(true);
});

test("the first label does not count: nothing predicts it", () => {
  const example = (labels: number[]) => ({ inputIds: Int32Array.from(labels), labels: Int32Array.from(labels) });
  expect(countLabels(example([1, 2, 3]))).toBe(2);
  expect(countLabels(example([1, -100, -100]))).toBe(0);
});

test("a row whose labels are all cut off is left out, and its line is told", () => {
  const long = { prompt: "word ".repeat(50), completion: "x" };
  const told: string[] = [];
  const cut = { maxLength: 16, onWarning: (text: string) => void told.push(text) };
  expect(encode([{ text: "a" }, long, { text: "b" }, long], cut)).toHaveLength(2);
  expect(told).toEqual(["2 rows are left out, because max length cuts off all that is learned: d.jsonl:2, d.jsonl:4"]);
  expect(() => encode([long], cut)).toThrow(/1 row is left out.*: d\.jsonl:1; nothing is left: raise maxLength/);
});

test("an example that was cut knows how long it was", () => {
  const rows = parseTextRows("d.jsonl", new TextEncoder().encode('{"input_ids":[5,6,7]}\n{"input_ids":[5,6]}'));
  const examples = encodeRows("d.jsonl", rows, { ...options, maxLength: 2 });
  expect(examples.map(({ uncut }) => uncut)).toEqual([3, undefined]);
});

test("padding that attention_mask shows is cut off at either end, and its labels with it", () => {
  const row = { input_ids: [9, 9, 5, 6, 7, 9], attention_mask: [0, 0, 1, 1, 1, 0] };
  expect(encode([row, { ...row, labels: [-100, -100, -100, 6, 7, 3] }])).toEqual([
    { inputIds: [5, 6, 7], labels: [5, 6, 7] },
    { inputIds: [5, 6, 7], labels: [-100, 6, 7] },
  ]);
  const bytes = (mask: number[]) => new TextEncoder().encode(JSON.stringify({ ...row, attention_mask: mask }));
  expect(() => parseTextRows("d.jsonl", bytes([0, 1, 0, 1, 1, 1]))).toThrow(
    /"attention_mask"\[2\] is 0 between tokens/,
  );
  expect(() => parseTextRows("d.jsonl", bytes([0, 0, 0, 0, 0, 0]))).toThrow(/0 everywhere: the row is all padding/);
  expect(() => parseTextRows("d.jsonl", bytes([1]))).toThrow(/"attention_mask" has 1 numbers and "input_ids" 6/);
});

test("an instruction is a conversation where the tokenizer has a template, else prompt, blank line and output", () => {
  const row = { instruction: "Name it.", input: "white", output: "A whale." };
  const [example] = encode([row]);
  expect(example!.inputIds).toEqual([BOS, ...plain("Name it.\n\nwhite\n\nA whale."), EOS]);
  expect(example!.labels.filter((label) => label !== -100)).toEqual([...plain("A whale."), EOS]);
  const chatTemplate = "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}";
  const tokenizer = pocketWith({ chatTemplate });
  const [chat] = encode([{ ...row, system: "Be brief." }], { tokenizer });
  expect(pocket.decode(chat!.inputIds)).toBe("system:Be brief.;user:Name it.\n\nwhite;assistant:A whale.;");
  expect(pocket.decode(chat!.labels.filter((label) => label !== -100))).toBe("A whale.;");
});

test("of prompt and completion as messages, what follows the prompt and the opening of an answer is learned", () => {
  const chatTemplate =
    "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
  const tokenizer = pocketWith({ chatTemplate });
  const turn = (role: string, content: string) => ({ role, content });
  const prompt = [turn("user", "Hi"), turn("assistant", "Ho"), turn("user", "Who?")];
  const [example] = encode([{ prompt, completion: [turn("assistant", "Ahab")] }], { tokenizer });
  expect(pocket.decode(example!.inputIds)).toBe("user:Hi;assistant:Ho;user:Who?;assistant:Ahab;");
  expect(pocket.decode(example!.labels.filter((label) => label !== -100))).toBe("Ahab;");
  const changing = pocketWith({ chatTemplate: "{{ messages|length }}{{ messages[-1].content }}" });
  expect(() => encode([{ prompt, completion: [turn("assistant", "Ahab")] }], { tokenizer: changing })).toThrow(
    /completion does not follow the prompt/,
  );
});

test("a preference pair is read, and refused by its name", () => {
  expect(() => encode([{ prompt: "p", chosen: "c", rejected: "r" }])).toThrow(
    /is a pair of a chosen and a rejected answer, for training from preferences such as DPO; CAUSAL_LM needs rows like/,
  );
});

test("a conversation without an answer has nothing to learn, but is a prompt that can be continued", async () => {
  const template =
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
  const tokenizer = pocketWith({ chatTemplate: template });
  const asked = [{ messages: [{ role: "user", content: "Who?" }] }];
  expect(() => encode(asked, { tokenizer })).toThrow('d.jsonl:1: has no turn of the "assistant" to learn from');
  const rows = parseTextRows("d.jsonl", new TextEncoder().encode(JSON.stringify(asked[0])));
  const [prompt] = await encodePrompts("d.jsonl", rows, { ...options, tokenizer });
  expect(tokenizer.decode(prompt!.inputIds)).toContain("user: Who?\nassistant:");
});
