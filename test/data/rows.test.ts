import { expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";
import { parseRows } from "../../src/data/rows.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const parse = (...lines: (string | object)[]) =>
  parseRows("d.jsonl", bytes(lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n")));

/** The message of the FormatError that `work` throws. */
function message(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return (error as FormatError).message;
  }
  throw new Error("nothing was thrown");
}

test("each shape of row is told by its keys, and keeps its line", () => {
  const messages = [{ role: "assistant", content: "hi" }];
  expect(
    parse(
      { text: "a\nb", id: 7 },
      "",
      { prompt: "p", completion: "c" },
      { messages },
      { input_ids: [1, 2] },
      { input_ids: [1], labels: [-100] },
    ),
  ).toEqual([
    { line: 1, kind: "text", text: "a\nb" },
    { line: 3, kind: "completion", prompt: "p", completion: "c" },
    { line: 4, kind: "chat", messages, tools: null },
    { line: 5, kind: "tokens", inputIds: [1, 2], labels: null },
    { line: 6, kind: "tokens", inputIds: [1], labels: [-100] },
  ]);
});

test("a byte order mark, carriage returns and a missing last newline do no harm", () => {
  const rows = parseRows("d.jsonl", bytes('\ufeff{"text":"a"}\r\n\r\n{"text":"\u2028"}'));
  expect(rows.map(({ line }) => line)).toEqual([1, 3]);
});

test("every malformed row is reported at once, with file and line", () => {
  const wrong: [string | object, RegExp][] = [
    ['{"text": "a"', /not JSON/],
    ["[1]", /should be a JSON object, found a list/],
    ["null", /found null/],
    [{}, /has no keys/],
    [{ txt: "a" }, /has only the keys "txt"\. Did you mean "text"\?/],
    [{ text: 5 }, /"text" should be a text, found the number 5/],
    [{ prompt: "a" }, /has "prompt" without "completion"/],
    [{ prompt: ["a"], completion: "b" }, /"prompt" should be a text, found a list/],
    [{ text: "a", messages: [] }, /"text" and "messages", which belong to different/],
    [{ messages: [] }, /found an empty list/],
    [{ messages: ["hi"] }, /"messages"\[0\] should be an object with a "role"/],
    [{ messages: [{ role: "user" }] }, /"messages"\[0\] \(user\) has no "content"/],
    [{ messages: [{ role: "user", content: "a" }] }, /no turn of the "assistant"/],
    [{ input_ids: [] }, /found an empty list/],
    [{ input_ids: [1, -1] }, /"input_ids"\[1\] should be a whole number of 0 or more, found -1/],
    [{ input_ids: [1], labels: [-5] }, /"labels"\[0\].*or -100, found -5/],
  ];
  const lines = message(() => parse({ text: "fine" }, ...wrong.map(([row]) => row))).split("\n");
  expect(lines[0]).toBe(`data file "d.jsonl" cannot be used because of ${wrong.length} rows`);
  wrong.forEach(([, said], i) => {
    expect(lines[i + 1]).toMatch(said);
    expect(lines[i + 1]).toContain(`d.jsonl:${i + 2}: `);
  });
  expect(lines.at(-1)).toContain("Each line should be one of");
});

test("what is wrong with a labeled row is said", () => {
  const wrong: [object, RegExp][] = [
    [{ text: "a", label: [1, "b"] }, /"label" should be a name, a number, .* found a list of other things/],
    [{ text: "a", label: true }, /"label" should be.* found true/],
    [{ text: "a", task_id: -1 }, /"task_id" should be a whole number of 0 or more, found the number -1/],
    [{ source: "a" }, /has "source" without "target"/],
    [{ tokens: ["a", "b"], labels: ["O"] }, /"labels" has 1 entries and "tokens" 2/],
    [{ tokens: ["a", 1] }, /"tokens"\[1\] should be a word, found the number 1/],
    [{ question: "q", context: "the whale", answers: [{ text: "whale", answer_start: 3 }] }, /the context has " whal"/],
    [{ question: "q", context: "c", answers: { text: ["c"], answer_start: [] } }, /"answers" should be a list, or/],
    [{ pixel_values: [[1, 2], [3]], label: 0 }, /"pixel_values" should be numbers in equally long lists/],
    [{ image: 3, label: 0 }, /"image" should be a path, found the number 3/],
    [{ input_ids: [1], token_type_ids: [0, 1] }, /"token_type_ids" has 2 numbers and "input_ids" 1/],
  ];
  for (const [row, said] of wrong) expect(message(() => parse(row)).split("\n")[1]).toMatch(said);
});

test("labelled rows are told by their keys too", () => {
  const answer = { text: "ç", start: 3 };
  expect(
    parse(
      { text: "a", text_pair: "b", label: "yes", task_id: 2 },
      { text: "a", label: [0, 1.5] },
      { tokens: ["a", "b"], labels: ["O", "B-X"] },
      { question: "q", context: "a 😀ç", answers: { text: ["ç"], answer_start: [3] } },
      { question: "q", context: "a 😀ç", answers: [{ text: "ç", answer_start: 3 }] },
      { source: "s", target: "t" },
      { input_ids: [1, 2], token_type_ids: [0, 1], label: 1 },
      { image: "a.png", label: "cat" },
      { pixel_values: [[[1, 2]], [[3, 4]]], label: 0 },
    ).map(({ line, ...row }) => row),
  ).toEqual([
    { kind: "text", text: "a", textPair: "b", label: "yes", taskId: 2 },
    { kind: "text", text: "a", label: [0, 1.5] },
    { kind: "words", words: ["a", "b"], labels: ["O", "B-X"] },
    { kind: "question", question: "q", context: "a 😀ç", answers: [answer] },
    { kind: "question", question: "q", context: "a 😀ç", answers: [answer] },
    { kind: "source", source: "s", target: "t" },
    { kind: "tokens", inputIds: [1, 2], labels: null, tokenTypes: [0, 1], label: 1 },
    { kind: "image", file: "a.png", label: "cat" },
    { kind: "pixels", pixels: Float32Array.of(1, 2, 3, 4), shape: [2, 1, 2], label: 0 },
  ]);
});

test("a line that is not UTF-8 is reported by its number", () => {
  const text = message(() => parseRows("d.jsonl", Uint8Array.of(...bytes('{"text":"a"}\n'), 0xff, 0xfe)));
  expect(text).toContain("d.jsonl:2: not UTF-8 text");
});

test("of many malformed rows 20 are listed and the rest counted", () => {
  const text = message(() => parse(...Array.from({ length: 57 }, () => "nope")));
  expect(text).toContain("because of 57 rows");
  expect(text.match(/d\.jsonl:\d+:/g)).toHaveLength(20);
  expect(text).toContain("and 37 more");
});

test("an empty file is an error, whatever its format", () => {
  for (const [name, content] of [
    ["a.jsonl", ""],
    ["a.jsonl", "\n\n"],
    ["a.txt", ""],
    ["a.txt", " \n"],
  ] as const) {
    expect(message(() => parseRows(name, bytes(content)))).toContain(`data file "${name}" is empty`);
  }
});

test("plain text is one document", () => {
  expect(parseRows("dir.jsonl/A.TXT", bytes("one\n\ntwo\n"))).toEqual([
    { line: 1, kind: "document", text: "one\n\ntwo\n" },
  ]);
});

test("another format is refused by name", () => {
  expect(() => parseRows("rows.csv", bytes("text\na"))).toThrow(UnsupportedError);
  expect(() => parseRows("rows.csv", bytes("text\na"))).toThrow(/"rows.csv" ends in "\.csv"/);
});
