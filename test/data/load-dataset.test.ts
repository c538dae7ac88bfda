import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { encodeRows, loadDataset, parseRows, readRows, rowsFrom } from "../../src/data/load-dataset.ts";
import { pocket } from "../text/pretrained.ts";

const folder = mkdtempSync(join(tmpdir(), "lorikeet-dataset-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, "reviews.csv");
writeFileSync(file, "body,class\nA whale.,good\nNo whale.,fine\n");
const columns = { text: "body", label: "class" };
const limits = { vocabSize: 1024, contextLength: 512 };
const three = { ...limits, task: "SEQ_CLS", labelNames: ["bad", "fine", "good"], problemType: null } as const;
const classes = (dataset: Awaited<ReturnType<typeof loadDataset>>) => dataset.map(({ labels }) => [...labels]);

test("the model's task and labels are those of its data: a file that lacks a class does not number the others anew", async () => {
  expect(classes(await loadDataset(file, pocket, three, { columns }))).toEqual([[2], [1]]);
  const other = { ...three, labelNames: ["bad", "good"] };
  await expect(loadDataset(file, pocket, other, { columns })).rejects.toThrow(
    /reviews\.csv:3: label "fine" is not known/,
  );
  await expect(loadDataset(file, pocket, three, { columns, task: "CAUSAL_LM" })).rejects.toThrow(
    '"task" is "CAUSAL_LM", but the model is for SEQ_CLS',
  );
  await expect(loadDataset(file, pocket, three, { columns, labelNames: ["good", "fine"] })).rejects.toThrow(
    '"labelNames" has 2 names, but the model\'s head has 3 outputs',
  );
  await expect(loadDataset(file, pocket, three, { columns, labelNames: ["good", "fine", "bad"] })).rejects.toThrow(
    /but the model's classes are \["bad","fine","good"\]: leave it out/,
  );
});

test("a model that only numbers its classes is not given names in an order that the file decides", async () => {
  const model = { ...three, labelNames: ["LABEL_0", "LABEL_1", "LABEL_2"] };
  await expect(loadDataset(file, pocket, model, { columns })).rejects.toThrow(
    /has the labels \["fine","good"\], but the model only numbers its 3 classes .*load the model with config: \{ id2label/,
  );
  expect(classes(await loadDataset(file, pocket, model, { columns, labelNames: three.labelNames }))).toEqual([
    [2],
    [1],
  ]);
  const numbers = await rowsFrom([{ text: "A whale.", label: 1 }]);
  expect(classes(await loadDataset(numbers, pocket, model))).toEqual([[1]]);
  const beyond = await rowsFrom([{ text: "A whale.", label: 3 }]);
  await expect(loadDataset(beyond, pocket, model)).rejects.toThrow(
    "rows:1: label 3 should be a whole number from 0 to 2",
  );
});

test("without a model to ask, labels are as the data suggests", async () => {
  const options = { columns, task: "SEQ_CLS" } as const;
  expect(classes(await loadDataset(file, pocket, limits, options))).toEqual([[1], [0]]);
});

test("odd classes and rows left out are told", async () => {
  const objects = Array.from({ length: 20 }, (_, i) => ({ text: `A whale ${i}.`, label: "good" }));
  const warnings: string[] = [];
  await loadDataset(await rowsFrom([...objects, { text: "No.", label: "fine" }]), pocket, three, {
    onWarning: (text) => warnings.push(text),
  });
  expect(warnings).toEqual(['rows: class "fine" has only 1 example, too few to learn it']);
});

test("files are read by path, and in memory by name and contents", async () => {
  const rows = await readRows(file, { columns });
  expect(rows[0]).toEqual({ line: 2, kind: "text", text: "A whale.", label: "good" });
  const bytes = new TextEncoder().encode("body,class\nA whale.,good\nNo whale.,fine\n");
  expect(await parseRows("reviews.csv", bytes, { columns })).toEqual(rows);
});

const wrong: [string, () => Promise<unknown>, RegExp][] = [
  ["an unknown option", () => loadDataset(file, pocket, three, { max_length: 8 } as never), /Did you mean "maxLength"/],
  [
    "a wrong value",
    () => loadDataset(file, pocket, three, { maxLength: "8" } as never),
    /"maxLength" is "8", expected/,
  ],
  ["options that are none", () => readRows(file, "text" as never), /readRows: the options is the string "text"/],
  ["no tokenizer", () => loadDataset(file, {} as never, three), /second argument is an object, expected a tokenizer/],
  ["no model", () => loadDataset(file, pocket, {} as never), /third argument is an object, expected the model/],
  ["no path", () => readRows(undefined as never), /first argument is undefined, expected a path/],
  ["objects for rows", () => encodeRows("d", [{ text: "a" }] as never, { tokenizer: pocket, ...limits }), /rowsFrom/],
  ["text for bytes", () => parseRows("d.jsonl", "{}" as never), /contents is the string "\{\}", expected its bytes/],
  ["an object for objects", () => rowsFrom({ text: "a" } as never), /first argument is an object, expected a list/],
  ["an unknown task", () => readRows(file, { task: "CLS" as never }), /"task" is "CLS", expected one of CAUSAL_LM/],
];

test.each(wrong)("%s is refused by name", async (_, call, said) => {
  await expect(call()).rejects.toThrow(said);
});
