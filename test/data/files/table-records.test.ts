import { expect, test } from "vitest";
import { parseRows } from "../../../src/data/rows.ts";

const parse = (file: string, text: string, columns?: Record<string, string>) =>
  parseRows(file, new TextEncoder().encode(text), columns ? { columns } : {});

test("quotes, line breaks in cells and lines are as in RFC 4180", async () => {
  const text = 'text,label\r\n"a, ""b""\nc",x\r\n\r\nd,y\r\n';
  expect(await parse("d.csv", text)).toEqual([
    { line: 2, kind: "text", text: 'a, "b"\nc', label: "x" },
    { line: 5, kind: "text", text: "d", label: "y" },
  ]);
});

test("a column of numbers is numbers, unless it holds text; an empty label is none", async () => {
  expect(await parse("d.csv", "text,label\n007,1\n8,\n")).toEqual([
    { line: 2, kind: "text", text: "007", label: 1 },
    { line: 3, kind: "text", text: "8" },
  ]);
  expect((await parse("d.csv", "text,label\na,1\nb,x\n")).map((row) => "label" in row && row.label)).toEqual([
    "1",
    "x",
  ]);
  const [tokens] = await parse("d.csv", 'input_ids,labels\n"[1, 2]","[-100, 2]"\n');
  expect(tokens).toMatchObject({ kind: "tokens", inputIds: [1, 2], labels: [-100, 2] });
});

test("columns are renamed before their cells are read", async () => {
  expect(await parse("d.csv", "body,stars\n5,4\n", { text: "body", label: "stars" })).toEqual([
    { line: 2, kind: "text", text: "5", label: 4 },
  ]);
});

test("tabs divide .tsv, and semicolons a file whose first line has no comma", async () => {
  expect(await parse("d.tsv", "text\tlabel\na, b; c\t1\n")).toMatchObject([{ text: "a, b; c", label: 1 }]);
  expect(await parse("d.csv", "text;label\na, b;1\n")).toMatchObject([{ text: "a, b", label: 1 }]);
});

test("a line with other cells, a column twice and an open quote are errors with their lines", async () => {
  await expect(parse("d.csv", "text,label\na,b\nc\n")).rejects.toThrow(
    /d\.csv:3: has 1 cells, but the first line names 2/,
  );
  await expect(parse("d.csv", "text,text\na,b\n")).rejects.toThrow(/two columns "text"/);
  await expect(parse("d.csv", 'text,label\n"a,b\n')).rejects.toThrow(/"d\.csv" cannot be read: line 2: /);
  await expect(parse("d.csv", "text\n")).rejects.toThrow(/is empty/);
});
