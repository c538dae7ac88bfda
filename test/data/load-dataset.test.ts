import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { loadDataset, parseRows, readRows } from "../../src/data/load-dataset.ts";
import { pocket } from "../text/pretrained.ts";

const folder = mkdtempSync(join(tmpdir(), "lorikeet-dataset-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, "reviews.csv");
writeFileSync(file, "body,class\nA whale.,good\nNo whale.,fine\n");
const columns = { text: "body", label: "class" };
const limits = { vocabSize: 1024, contextLength: 512 };
const classes = (dataset: Awaited<ReturnType<typeof loadDataset>>) => dataset.map(({ labels }) => [...labels]);

test("the model's task and labels are those of its data: a file that lacks a class does not number the others anew", async () => {
  const model = { ...limits, task: "SEQ_CLS", labelNames: ["bad", "fine", "good"], problemType: null } as const;
  expect(classes(await loadDataset(file, pocket, model, { columns }))).toEqual([[2], [1]]);
  expect(classes(await loadDataset(file, pocket, model, { columns, labelNames: ["good", "fine"] }))).toEqual([
    [0],
    [1],
  ]);
  const other = { ...model, labelNames: ["bad", "good"] };
  await expect(loadDataset(file, pocket, other, { columns })).rejects.toThrow(/label "fine" is not known/);
});

test("labels that a model does not name are as the data suggests", async () => {
  const model = { ...limits, task: "SEQ_CLS", labelNames: ["LABEL_0", "LABEL_1"] } as const;
  expect(classes(await loadDataset(file, pocket, model, { columns }))).toEqual([[1], [0]]);
});

test("files are read by path, and in memory by name and contents", async () => {
  const rows = await readRows(file, { columns });
  expect(rows[0]).toEqual({ line: 2, kind: "text", text: "A whale.", label: "good" });
  const bytes = new TextEncoder().encode("body,class\nA whale.,good\nNo whale.,fine\n");
  expect(await parseRows("reviews.csv", bytes, { columns })).toEqual(rows);
});
