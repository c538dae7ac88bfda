import { expect, test } from "vitest";
import { mapSource } from "../../../src/checkpoint/source.ts";
import { FormatError } from "../../../src/core/errors.ts";
import { readWhole } from "../../../src/core/io/read-whole.ts";

test("a file larger than any config is refused before it is read", async () => {
  const source = { ...mapSource({ "config.json": new Uint8Array(2) }), size: async () => 300e6 };
  await expect(readWhole(source, "config.json")).rejects.toThrow(FormatError);
  await expect(readWhole(source, "config.json")).rejects.toThrow(
    '"config.json" in the given files has 300000000 bytes',
  );
  expect(await readWhole(mapSource({ a: new Uint8Array(3) }), "a")).toHaveLength(3);
});
