import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { parseRows } from "../../../src/data/rows.ts";

test("packed files of every format are read, and broken ones refused", async () => {
  const rows = await parseRows("d.csv.gz", new Uint8Array(gzipSync("text\na\n")));
  expect(rows).toEqual([{ line: 2, kind: "text", text: "a" }]);
  expect(await parseRows("d.txt.GZ", new Uint8Array(gzipSync("a")))).toMatchObject([{ kind: "document" }]);
  const broken = new Uint8Array(gzipSync("text\na\n")).subarray(0, 12);
  await expect(parseRows("d.csv.gz", broken)).rejects.toThrow(/"d\.csv\.gz" is not a whole gzip file/);
});

test("a packed file may unpack to so much, and no more", async () => {
  const text = new Uint8Array(gzipSync(`text\n${"a\n".repeat(1000)}`));
  expect(await parseRows("d.csv.gz", text, { maxUnpackedBytes: 2005 })).toHaveLength(1000);
  await expect(parseRows("d.csv.gz", text, { maxUnpackedBytes: 2004 })).rejects.toThrow(
    'data file "d.csv.gz" unpacks to more than the 2004 bytes that are allowed: raise maxUnpackedBytes',
  );
});
