import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parquetRecords } from "../../../src/data/files/parquet-records.ts";
import { parseRows } from "../../../src/data/rows.ts";
import { GOLDEN } from "../../golden-files.ts";

const file = (name: string) => new Uint8Array(readFileSync(`${GOLDEN}/rows/${name}`));

test("lists of objects, whole numbers and missing values are as JSON has them", async () => {
  const turn = (role: string, content: string) => ({ role, content });
  expect(await parquetRecords("chats.parquet", file("chats.parquet"), 1e9)).toEqual([
    { line: 1, row: { id: 1, messages: [turn("user", "Hi ☃"), turn("assistant", "Ho")], text: null } },
    { line: 2, row: { id: 2, messages: [turn("assistant", "Ahoy")], text: null } },
  ]);
  const rows = await parseRows("chats.parquet", file("chats.parquet"));
  expect(rows.map(({ kind, line }) => [kind, line])).toEqual([
    ["chat", 1],
    ["chat", 2],
  ]);
});

test("labels are numbers", async () => {
  const rows = await parseRows("labels.parquet", file("labels.parquet"));
  expect(rows).toEqual([
    { line: 1, kind: "text", text: "good", label: 1 },
    { line: 2, kind: "text", text: "bad", label: 0 },
    { line: 3, kind: "text", text: "fine", label: 1 },
  ]);
});

test("what cannot be read is refused by its name", async () => {
  await expect(parseRows("z.parquet", file("zstd.parquet"))).rejects.toThrow(/"z\.parquet" cannot be read.*ZSTD/);
  await expect(parseRows("z.parquet", Uint8Array.of(1, 2, 3))).rejects.toThrow(
    /"z\.parquet" cannot be read as Parquet/,
  );
});

test("a file that says that it unpacks to more than allowed is refused", async () => {
  const reading = parseRows("chats.parquet", file("chats.parquet"), { maxUnpackedBytes: 300 });
  await expect(reading).rejects.toThrow(
    /it unpacks to 321 bytes, more than the 300 that are allowed: raise maxUnpackedBytes/,
  );
});
