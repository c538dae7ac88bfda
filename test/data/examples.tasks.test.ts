/** Rows of every task but CAUSAL_LM as examples. The tokenizers and their answers are those of test/golden/tokenizers. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FormatError, StateError } from "../../src/core/errors.ts";
import type { Task } from "../../src/core/task.ts";
import { countLabels, type EncodeRowsOptions, encodeRows } from "../../src/data/examples.ts";
import { loadDataset, readRows } from "../../src/data/load-dataset.ts";
import { parseTextRows } from "../../src/data/rows.ts";
import { readImageConfig } from "../../src/image/preprocess.ts";
import { pixelInput } from "../../src/nn/pass/pixels.ts";
import { labelNamesOf, problemTypeOf } from "../../src/tasks/kit/labels.ts";
import { Tokenizer } from "../../src/text/tokenizer.ts";

const GOLDEN = new URL("../golden/", import.meta.url);
const read = (name: string) => JSON.parse(readFileSync(new URL(`tokenizers/${name}.json`, GOLDEN), "utf8"));
const tokenizerOf = (name: string) =>
  new Tokenizer(name, { tokenizer: read(name), config: read(`${name}.expected`).specials });
const bert = tokenizerOf("word-piece");
const [CLS, SEP] = [2, 3];
const plain = (text: string) => bert.encode(text, { addSpecialTokens: false });

const parse = (rows: object[]) =>
  parseTextRows("d.jsonl", new TextEncoder().encode(rows.map((row) => JSON.stringify(row)).join("\n")));

function encode(task: Task, rows: object[], changes: Partial<EncodeRowsOptions> = {}) {
  const parsed = parse(rows);
  const labelNames = changes.labelNames === undefined ? labelNamesOf(parsed) : changes.labelNames;
  const options = { task, tokenizer: bert, vocabSize: bert.vocabSize, contextLength: 512, labelNames, ...changes };
  return encodeRows("d.jsonl", parsed, options);
}

test("a text has its class and its special tokens, a pair its types as well", () => {
  const [one, two] = encode("SEQ_CLS", [
    { text: "the whale", label: "good", task_id: 3 },
    { text: "the whale", text_pair: "was white", label: "bad" },
  ]);
  expect(one).toEqual({
    inputIds: Int32Array.of(CLS, ...plain("the whale"), SEP),
    labels: Int32Array.of(1),
    taskId: 3,
    where: "d.jsonl:1",
  });
  const [first, second] = [
    [CLS, ...plain("the whale"), SEP],
    [...plain("was white"), SEP],
  ];
  expect([...two!.inputIds]).toEqual([...first, ...second]);
  expect([...two!.tokenTypes!]).toEqual([...first.map(() => 0), ...second.map(() => 1)]);
  expect([...two!.labels]).toEqual([0]);
});

test("what is longer than the context is cut, and keeps its last special token", () => {
  const rows = [{ text: "the white whale ".repeat(20), label: 0 }];
  for (const [changes, length] of [
    [{ contextLength: 16 }, 16],
    [{ maxLength: 9 }, 9],
  ] as const) {
    const { inputIds } = encode("SEQ_CLS", rows, changes)[0]!;
    expect([inputIds.length, inputIds[0], inputIds.at(-1)]).toEqual([length, CLS, SEP]);
  }
});

test("labels become classes, several classes, or values", () => {
  const labels = (rows: object[], changes: Partial<EncodeRowsOptions>) =>
    encode("SEQ_CLS", rows, changes).map((example) => example.labels);
  const problemType = "multi_label_classification";
  expect(
    labels(
      [
        { text: "a", label: ["sea", "air"] },
        { text: "a", label: [] },
        { text: "a", label: ["land"] },
      ],
      { problemType },
    ),
  ).toEqual([Float32Array.of(1, 0, 1), Float32Array.of(0, 0, 0), Float32Array.of(0, 1, 0)]);
  expect(labels([{ text: "a", label: [0, 1, 1] }], { problemType })).toEqual([Float32Array.of(0, 1, 1)]);
  expect(
    labels(
      [
        { text: "a", label: 2.5 },
        { text: "a", label: -1 },
      ],
      { problemType: "regression" },
    ),
  ).toEqual([Float32Array.of(2.5), Float32Array.of(-1)]);
});

test("what the labels are is seen from the rows", () => {
  const seen = (...labels: unknown[]) => {
    const rows = parse(labels.map((label) => ({ text: "a", label })));
    return [problemTypeOf(rows), labelNamesOf(rows)];
  };
  expect(seen("no", "yes", "é", "Z")).toEqual(["single_label_classification", ["Z", "no", "yes", "é"]]);
  expect(seen(2, 0)).toEqual(["single_label_classification", ["LABEL_0", "LABEL_1", "LABEL_2"]]);
  expect(seen(0.5, 3)).toEqual(["regression", ["LABEL_0"]]);
  expect(seen([0, 1, 0])).toEqual(["multi_label_classification", ["LABEL_0", "LABEL_1", "LABEL_2"]]);
  expect(seen(["b"], ["a", "b"])).toEqual(["multi_label_classification", ["a", "b"]]);
  expect(() => seen("a", 1)).toThrow(/some labels are names \("a"\) and others numbers \(1\)/);
  expect(labelNamesOf(parse([{ tokens: ["a", "b"], labels: ["O", "B-X"] }]))).toEqual(["B-X", "O"]);
  expect(labelNamesOf(parse([{ tokens: ["a", "b"], labels: [4, -100] }]))).toHaveLength(5);
  expect(labelNamesOf(parse([{ text: "a" }]))).toBeNull();
});

test("a word's label stands on its first token, and no other counts", () => {
  const words = ["Captain", "unafraid", "."];
  const [example] = encode("TOKEN_CLS", [{ tokens: words, labels: ["B-PER", "O", "O"] }]);
  const lengths = words.map((word) => plain(word).length);
  expect(Math.max(...lengths)).toBeGreaterThan(1);
  const wanted = lengths.flatMap((length, w) => [w === 0 ? 0 : 1, ...Array(length - 1).fill(-100)]);
  expect([...example!.labels]).toEqual([-100, ...wanted, -100]);
  expect(countLabels(example!, "TOKEN_CLS")).toBe(3);
});

test("a source and its target each end as the tokenizer ends a text", () => {
  const t5 = tokenizerOf("unigram");
  const [example] = encode("SEQ_2_SEQ_LM", [{ source: "the white whale", target: "the captain" }], {
    ...{ tokenizer: t5, vocabSize: t5.vocabSize, contextLength: null, maxTargetLength: 4 },
  });
  const ids = (text: string) => t5.encode(text, { addSpecialTokens: false });
  expect([...example!.inputIds]).toEqual([...ids("the white whale"), t5.eosTokenId]);
  expect([...example!.labels]).toEqual([...ids("the captain").slice(0, 3), t5.eosTokenId]);
  const given = encode("SEQ_2_SEQ_LM", [{ input_ids: [5, 6, 7], labels: [8, 1] }]);
  expect(given[0]).toMatchObject({ inputIds: Int32Array.of(5, 6, 7), labels: Int32Array.of(8, 1) });
});

interface AnswerCase {
  readonly question: string;
  readonly context: string;
  readonly answer: string;
  readonly start: number;
  readonly maxLength: number;
  readonly ids: number[];
  readonly places: [number, number];
}

describe.each(["word-piece", "unigram", "unigram-spaces", "byte-level", "sentence-piece"])("answers by %s", (name) => {
  const tokenizer = tokenizerOf(name);
  const cases: AnswerCase[] = read(`${name}.expected`).answers;
  test.each(cases)(
    "$answer in $context, at most $maxLength tokens",
    ({ question, context, answer, start, maxLength, ids, places }) => {
      const rows = [{ question, context, answers: { text: [answer], answer_start: [start] } }];
      const changes = { tokenizer, vocabSize: tokenizer.vocabSize, maxLength };
      const [example] = encode("QUESTION_ANS", rows, changes);
      expect([...example!.inputIds]).toEqual(ids);
      expect([...example!.labels]).toEqual(places);
      const found = example!.answer!;
      expect(found.texts).toEqual([answer]);
      const [first, last] = places.map((at) => found.offsets[at]);
      if (first && last) expect(context.slice(first[0], last[1])).toContain(answer);
    },
  );
});

test("a question without an answer points at [CLS]; one that leaves no room is an error", () => {
  const row = { question: "Who?", context: "the whale", answers: [] };
  expect([...encode("QUESTION_ANS", [row])[0]!.labels]).toEqual([0, 0]);
  expect(() => encode("QUESTION_ANS", [row], { maxLength: 4 })).toThrow(/d\.jsonl:1: leaves no room for the context/);
});

const images = (shape: readonly number[]) => ({ inputKinds: [{ kind: "pixels", shape }] });

test("pixels are taken as they are, if they fit the model", () => {
  const row = { pixel_values: [[[1, 2]], [[3, 4]], [[5, 6]]], label: "cat" };
  const [example] = encode("IMAGE_CLS", [row], { tokenizer: null, ...images([3, 1, 2]) });
  expect(example).toMatchObject({ inputs: [pixelInput(Float32Array.of(1, 2, 3, 4, 5, 6))], labels: Int32Array.of(0) });
  expect(example!.inputIds).toHaveLength(0);
  expect(() => encode("IMAGE_CLS", [row], images([3, 2, 1]))).toThrow(
    /"pixel_values" is \[3\]\[1\]\[2\], the model takes \[3\]\[2\]\[1\]/,
  );
});

test("rows that do not fit the task, and labels that are not known, are all reported", () => {
  const rows = [
    { text: "a", label: "whale" },
    { prompt: "a", completion: "b" },
    { text: "a" },
    { text: "a", label: "whales" },
    { text: "a", label: 7 },
    { text: "", label: "fish" },
  ];
  const text = (() => {
    try {
      encode("SEQ_CLS", rows, { labelNames: ["fish", "whale"] });
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
      return (error as Error).message;
    }
    throw new Error("nothing was thrown");
  })();
  expect(text).toMatch(/because of 4 rows/);
  expect(text).toMatch(/d\.jsonl:2: is a prompt with its completion; SEQ_CLS needs rows like {"text", "label"}/);
  expect(text).toMatch(/d\.jsonl:3: has no "label"/);
  expect(text).toMatch(
    /d\.jsonl:4: label "whales" is not known. Did you mean "whale"\? The labels are "fish", "whale"/,
  );
  expect(text).toMatch(/d\.jsonl:5: label 7 should be a whole number from 0 to 1/);
  expect(() => encode("SEQ_CLS", rows.slice(0, 1), { labelNames: null })).toThrow(StateError);
  expect(() => encode("TOKEN_CLS", [{ text: "a", label: 1 }])).toThrow(
    /TOKEN_CLS needs rows like {"tokens": \[words\]/,
  );
});

test("rows without labels are taken where nothing is measured", () => {
  const changes = { unlabelled: true, labelNames: [] };
  expect(encode("SEQ_CLS", [{ text: "a" }], changes)[0]!.labels).toHaveLength(0);
  expect([...encode("TOKEN_CLS", [{ tokens: ["a"] }], changes)[0]!.labels].every((label) => label === -100)).toBe(true);
  expect(encode("QUESTION_ANS", [{ question: "q", context: "a" }], changes)[0]!.labels).toHaveLength(0);
  expect(encode("SEQ_2_SEQ_LM", [{ text: "a" }], changes)[0]!.labels).toHaveLength(0);
  expect(encode("FEATURE_EXTRACTION", [{ text: "a", label: 4 }], { labelNames: null })[0]!.labels).toHaveLength(0);
});

test("image files are read from beside the data file, and all bad ones reported", async () => {
  const folder = new URL("images/", GOLDEN).pathname;
  const config = readImageConfig(readFileSync(`${folder}vit.json`, "utf8"));
  const limits = { vocabSize: 0, contextLength: null, ...images([3, 12, 12]) };
  const options = { task: "IMAGE_CLS", imageConfig: config } as const;
  const examples = await loadDataset(`${folder}rows.jsonl`, null, limits, options);
  expect(examples.map(({ inputs, labels }) => [inputs![0]!.values.length, labels[0]])).toEqual([
    [432, 1],
    [432, 0],
  ]);
  await expect(readRows(`${folder}bad-rows.jsonl`, { preparation: config })).rejects.toThrow(
    /because of 2 rows\n.*bad-rows\.jsonl:1: .*has no file "none\.png"\n.*:2: image "vit\.json" is neither PNG nor JPEG/,
  );
});
