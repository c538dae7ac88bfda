import { expect, test } from "vitest";
import { encodeRows } from "../../src/data/examples.ts";
import { parseTextRows } from "../../src/data/rows.ts";
import { openFolder } from "../../src/runtime/node.ts";
import { AutoTokenizer } from "../../src/text/auto-tokenizer.ts";

const tokenizer = await AutoTokenizer.fromPretrained(
  openFolder(new URL("../../examples/pocket", import.meta.url).pathname),
);
const limits = { tokenizer, vocabSize: tokenizer.vocabSize, contextLength: 512 };

function encoded(row: object, trainOn: "answers" | "all", more = {}) {
  const rows = parseTextRows("a.jsonl", new TextEncoder().encode(JSON.stringify(row)));
  return encodeRows("a.jsonl", rows, { ...limits, trainOn, ...more })[0]!;
}

test("a completion teaches its answer, or all of it; the ids are the same", () => {
  const row = { prompt: "Shall I compare thee", completion: " to a summer's day?" };
  const [answers, all] = [encoded(row, "answers"), encoded(row, "all")];
  expect(all.inputIds).toEqual(answers.inputIds);
  expect([...all.labels]).toEqual([...all.inputIds]);
  const learned = [...answers.labels].filter((label) => label >= 0);
  expect(learned.length).toBeGreaterThan(0);
  expect(learned.length).toBeLessThan(answers.labels.length);
});

test("rows of ids keep their own labels", () => {
  const row = { input_ids: [1, 5, 7], labels: [-100, 5, 7] };
  expect([...encoded(row, "all").labels]).toEqual([-100, 5, 7]);
});

test("it is refused where rows have labels that are not their text", () => {
  const classes = { task: "SEQ_CLS", labelNames: ["a", "b"] } as const;
  expect(() => encoded({ text: "Shall I", label: "a" }, "all", classes)).toThrow(
    'trainOn is "all", which is for language models; SEQ_CLS has labels of its rows',
  );
});
