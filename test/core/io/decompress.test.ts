import { deflateSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { FormatError } from "../../../src/core/errors.ts";
import { decompress, unpack } from "../../../src/core/io/decompress.ts";

const limit = { most: 1e6, what: "the file", option: "maxUnpackedBytes" };

test("parts are one stream", async () => {
  const packed = gzipSync("hello world");
  const unpacked = await unpack([packed.subarray(0, 7), packed.subarray(7)], "gzip", limit);
  expect(new TextDecoder().decode(unpacked)).toBe("hello world");
});

test("more than is allowed is refused while it is unpacked", async () => {
  const before = process.memoryUsage.rss();
  const reading = unpack([gzipSync(Buffer.alloc(300e6))], "gzip", limit);
  await expect(reading).rejects.toThrow(FormatError);
  await expect(reading).rejects.toThrow(
    "the file unpacks to more than the 1000000 bytes that are allowed: raise maxUnpackedBytes",
  );
  expect(process.memoryUsage.rss() - before).toBeLessThan(100e6);
});

test("a stream that is cut or corrupted is an error, and who stops early is not told of it", async () => {
  const packed = deflateSync(Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * i) % 251)));
  await expect(unpack([packed.subarray(0, -10)], "deflate", limit)).rejects.toThrow();
  for await (const piece of decompress([packed.subarray(0, -10)], "deflate")) {
    expect(piece.length).toBeGreaterThan(0);
    break;
  }
});
