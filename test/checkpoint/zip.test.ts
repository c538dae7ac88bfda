import { expect, test } from "vitest";
import { mapSource } from "../../src/checkpoint/source.ts";
import { openZip } from "../../src/checkpoint/zip.ts";
import { FormatError } from "../../src/core/errors.ts";

/** An archive of empty files. */
function archive(count: number): Uint8Array {
  const bytes = new Uint8Array(count * (30 + 5) + count * (46 + 5) + 22);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const name = (i: number) => new TextEncoder().encode(String(i).padStart(5, "0"));
  for (let i = 0; i < count; i++, at += 35) {
    view.setUint32(at, 0x04034b50, true);
    view.setUint16(at + 26, 5, true);
    bytes.set(name(i), at + 30);
  }
  const start = at;
  for (let i = 0; i < count; i++, at += 51) {
    view.setUint32(at, 0x02014b50, true);
    view.setUint16(at + 28, 5, true);
    view.setUint32(at + 42, i * 35, true);
    bytes.set(name(i), at + 46);
  }
  view.setUint32(at, 0x06054b50, true);
  view.setUint32(at + 12, at - start, true);
  view.setUint32(at + 16, start, true);
  return bytes;
}

test("an archive of many entries is read with few files open", async () => {
  let [open, most] = [0, 0];
  const source = mapSource({ "a.bin": archive(30_000) });
  const counted = {
    ...source,
    async read(file: string, start?: number, end?: number) {
      most = Math.max(most, ++open);
      await Promise.resolve();
      open--;
      return source.read(file, start, end);
    },
  };
  expect((await openZip(counted, "a.bin")).size).toBe(30_000);
  expect(most).toBeLessThanOrEqual(32);
});

test("a table larger than that of any model is refused before it is read", async () => {
  const bytes = archive(1);
  const view = new DataView(bytes.buffer);
  view.setUint32(bytes.length - 10, 17e6, true);
  view.setUint32(bytes.length - 6, 0, true);
  await expect(openZip(mapSource({ "a.bin": bytes }), "a.bin")).rejects.toThrow(FormatError);
  await expect(openZip(mapSource({ "a.bin": bytes }), "a.bin")).rejects.toThrow(/has a table of 17000000 bytes/);
});
