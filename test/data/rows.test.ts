import { expect, test } from "vitest";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";
import type { RowChoice } from "../../src/data/read-row.ts";
import { parseTextRows, rowsFrom } from "../../src/data/rows.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const parse = (...lines: (string | object)[]) =>
  parseTextRows(
    "d.jsonl",
    bytes(lines.map((line) => (typeof line === "string" ? line : JSON.stringify(line))).join("\n")),
  );

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
  const rows = parseTextRows("d.jsonl", bytes('\ufeff{"text":"a"}\r\n\r\n{"text":"\u2028"}'));
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
    [
      { prompt: ["a"], completion: "b" },
      /"prompt" and "completion" should both be texts or both lists of messages, found a list and/,
    ],
    [
      { text: "a", messages: [] },
      /can be read as a text \("text"\) or as a conversation \("messages"\): choose with --col/,
    ],
    [{ messages: [] }, /found an empty list/],
    [{ messages: ["hi"] }, /"messages"\[0\] should be an object with a "role"/],
    [{ messages: [{ role: "user" }] }, /"messages"\[0\] \(user\) has no "content"/],
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
  expect(lines.at(-1)).toContain("Each row should be one of");
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
  const text = message(() => parseTextRows("d.jsonl", Uint8Array.of(...bytes('{"text":"a"}\n'), 0xff, 0xfe)));
  expect(text).toContain("d.jsonl:2: not UTF-8 text");
});

test("a problem that many rows have is told once, with a count", () => {
  const text = message(() => parse(...Array.from({ length: 57 }, () => ({ txt: "a" })), { text: 1 }));
  expect(text.split("\n").slice(0, 4)).toEqual([
    'data file "d.jsonl" cannot be used because of 58 rows',
    '  d.jsonl:1: has only the keys "txt". Did you mean "text"?',
    `    the same in 56 other rows: ${[2, 3, 4, 5, 6, 7, 8, 9].map((line) => `d.jsonl:${line}`).join(", ")} and 48 more`,
    '  d.jsonl:58: "text" should be a text, found the number 1',
  ]);
});

test("of many malformed rows 20 are listed and the rest counted", () => {
  const text = message(() => parse(...Array.from({ length: 57 }, (_, i) => ({ text: i }))));
  expect(text).toContain("because of 57 rows");
  expect(text.match(/d\.jsonl:\d+:/g)).toHaveLength(20);
  expect(text).toContain("and 37 more");
});

test("objects become the rows that a file of them would give", () => {
  const objects = [
    { text: "a", label: "yes", note: undefined },
    { input_ids: Int32Array.of(1, 2), labels: [1, 2] },
    { pixel_values: Float32Array.of(1, 2), label: 0 },
  ];
  const lines: object[] = [objects[0]!, { input_ids: [1, 2], labels: [1, 2] }, { pixel_values: [1, 2], label: 0 }];
  expect(rowsFrom(objects, {}, "rows")).toEqual(parse(...lines));
  expect(rowsFrom([{ body: "a" }], { columns: { text: "body" } }, "rows")).toEqual([
    { line: 1, kind: "text", text: "a" },
  ]);
  expect(message(() => rowsFrom([{ text: "a" }, null as never], {}, "mails"))).toMatch(
    /data file "mails" cannot be used(.*\n)*.*mails:2: should be an object, found null/,
  );
  expect(message(() => rowsFrom([], {}, "mails"))).toContain('"mails" is empty');
});

test("an empty file is an error, whatever its format", () => {
  for (const [name, content] of [
    ["a.jsonl", ""],
    ["a.jsonl", "\n\n"],
    ["a.txt", ""],
    ["a.txt", " \n"],
  ] as const) {
    expect(message(() => parseTextRows(name, bytes(content)))).toContain(`data file "${name}" is empty`);
  }
});

test("plain text is one document", () => {
  expect(parseTextRows("dir.jsonl/A.TXT", bytes("one\n\ntwo\n"))).toEqual([
    { line: 1, kind: "document", text: "one\n\ntwo\n" },
  ]);
});

test("another format is refused by name", () => {
  expect(() => parseTextRows("rows.docx", bytes("a"))).toThrow(UnsupportedError);
  expect(() => parseTextRows("rows.docx", bytes("a"))).toThrow(/"rows.docx" ends in "\.docx"/);
});

test("columns that no reading needs are ignored", () => {
  const messages = [{ role: "assistant", content: "hi" }];
  const kinds = parse(
    { text: "a", source: "web" },
    { messages, source: "web" },
    { prompt: "p", prompt_id: "1", messages },
    { text: "a", prompt: null, completion: null },
    { input_ids: [1], prompt: "p" },
    {
      conversations: [
        { from: "human", value: "a" },
        { from: "gpt", value: "b" },
      ],
      id: 1,
    },
    { instruction: "a", input: "", output: "b", text: null },
  ).map(({ kind }) => kind);
  expect(kinds).toEqual(["text", "chat", "chat", "text", "tokens", "chat", "instruction"]);
});

test("columns and task choose between readings, and columns rename", () => {
  const read = (choice: RowChoice, row: object) => parseTextRows("d.jsonl", bytes(JSON.stringify(row)), choice)[0];
  const both = { text: "all of it", instruction: "i", output: "o", class: "x" };
  expect(() => read({}, both)).toThrow(/as a text \("text"\) or as an instruction with its output/);
  expect(read({ columns: { text: "text" } }, both)).toMatchObject({ kind: "text", text: "all of it" });
  expect(read({ columns: { output: "output" } }, both)).toMatchObject({ kind: "instruction", output: "o" });
  expect(read({ columns: { text: "output", label: "class" } }, both)).toMatchObject({ text: "o", label: "x" });
  expect(read({ task: "SEQ_CLS" }, both)).toMatchObject({ kind: "text" });
  expect(read({ columns: { prompt: "question", completion: "answer" } }, { question: "q", answer: "a" })).toMatchObject(
    {
      kind: "completion",
      prompt: "q",
      completion: "a",
    },
  );
  expect(() => read({ columns: { text: "bodi" } }, { body: "a" })).toThrow(
    /has no "bodi" for "text". Did you mean "body"/,
  );
  expect(() => read({ columns: { txt: "body" } }, { body: "a" })).toThrow(/no kind of row has the key "txt".*"text"/);
});

test("conversations of ShareGPT become messages", () => {
  const turns = [
    { from: "human", value: "a" },
    { from: "gpt", value: "b" },
    { from: "observation", value: "c" },
    { from: "assistant", value: "d" },
  ];
  const [row] = parse({ conversations: turns, system: "s" });
  expect(row).toMatchObject({
    kind: "chat",
    messages: [
      { role: "system", content: "s" },
      { role: "user", content: "a" },
      { role: "assistant", content: "b" },
      { role: "tool", content: "c" },
      { role: "assistant", content: "d" },
    ],
  });
  expect(message(() => parse({ conversations: [{ from: "cat", value: "a" }] }))).toMatch(
    /"conversations"\[0\] should be "from" one of human, user, .* found "cat"/,
  );
});

test("a .json file may be one list, whose rows have the lines on which they begin", () => {
  const text = '[\n  {"text": "a, [b] \\" }"},\n\n  {\n    "text": "c"\n  }, {"text": "d"}\n]\n';
  expect(parseTextRows("d.json", bytes(text))).toEqual([
    { line: 2, kind: "text", text: 'a, [b] " }' },
    { line: 4, kind: "text", text: "c" },
    { line: 6, kind: "text", text: "d" },
  ]);
  expect(message(() => parseTextRows("d.json", bytes('[{"text": "a"},\n{"text": }]')))).toMatch(/d\.json:2: not JSON/);
  expect(message(() => parseTextRows("d.json", bytes('[{"text": "a"},')))).toMatch(/is truncated/);
  expect(message(() => parseTextRows("d.json", bytes('[{"text": "a"}] x')))).toMatch(/should end with its list/);
  expect(message(() => parseTextRows("d.json", bytes("[]")))).toMatch(/is empty/);
  expect(message(() => parseTextRows("d.json", bytes('{\n"data": []\n}')))).toMatch(
    /one JSON object \("data"\), expected a/,
  );
  expect(parseTextRows("d.json", bytes('{"text": "a"}\n{"text": "b"}'))).toHaveLength(2);
});

test("UTF-16 is read, with its mark or without", () => {
  const text = '{"text": "naïve ☃ whale, and so on"}\r\n{"text": "b"}';
  const little = new Uint8Array(Buffer.from(text, "utf16le"));
  const big = new Uint8Array(Buffer.from(text, "utf16le").swap16());
  const marked = (mark: number[], body: Uint8Array) => Uint8Array.of(...mark, ...body);
  for (const file of [little, big, marked([0xff, 0xfe], little), marked([0xfe, 0xff], big)]) {
    expect(parseTextRows("d.jsonl", file)[0]).toEqual({ line: 1, kind: "text", text: "naïve ☃ whale, and so on" });
  }
  expect(message(() => parseTextRows("d.txt", Uint8Array.of(0xe9, 0x20, 0x61)))).toMatch(
    /is not text in UTF-8 or UTF-16/,
  );
});
