import { expect, test } from "vitest";
import { writeHashed } from "../../src/checkpoint/file-hashes.ts";
import { mapSource, memoryTarget } from "../../src/checkpoint/source.ts";
import { verifiedSource } from "../../src/checkpoint/verified-source.ts";

const text = (value: string) => new TextEncoder().encode(value);

async function opened(change: (files: Map<string, Uint8Array>) => void = () => {}) {
  const target = memoryTarget();
  await writeHashed(target, async (folder) => {
    await folder.write("adapter_model.safetensors", [text("0123456789")]);
    await folder.write("adapter_config.json", [text("{}")]);
  });
  change(target.files);
  const warnings: string[] = [];
  const source = await verifiedSource(mapSource(target.files), (warning) => warnings.push(warning));
  const read = async (file: string, ...range: number[]) => new TextDecoder().decode(await source.read(file, ...range));
  return { read, warnings };
}

test("what was written is read, in parts too", async () => {
  const { read, warnings } = await opened();
  expect(await read("adapter_model.safetensors", 2, 5)).toBe("234");
  expect(await read("adapter_model.safetensors")).toBe("0123456789");
  await expect(read("adapter_model.safetensors", 2, 11)).rejects.toThrow(/has 10 bytes/);
  await expect(read("other")).rejects.toThrow(/has no file "other"/);
  expect(warnings).toEqual([]);
});

test("tensors that changed are refused with the way out, in every part of the file", async () => {
  const { read } = await opened((files) => files.set("adapter_model.safetensors", text("0123456788")));
  await expect(read("adapter_model.safetensors", 0, 2)).rejects.toThrow(
    /"adapter_model.safetensors" in the given files is not what was written.*delete SHA256SUMS to use it as it is/,
  );
});

test("a config that was edited by hand is used, with one warning", async () => {
  const { read, warnings } = await opened((files) => files.set("adapter_config.json", text('{"r": 4}')));
  expect(await read("adapter_config.json")).toBe('{"r": 4}');
  await read("adapter_config.json");
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^"adapter_config.json" in the given files is not what was written with it/);
});

test("a folder without a record is read as it is, and so is one with a damaged record, with a warning", async () => {
  const without = await opened((files) => files.delete("SHA256SUMS"));
  expect(await without.read("adapter_config.json")).toBe("{}");
  expect(without.warnings).toEqual([]);
  const damaged = await opened((files) => files.set("SHA256SUMS", text("# files: 2\n")));
  expect(await damaged.read("adapter_config.json")).toBe("{}");
  expect(damaged.warnings).toEqual([expect.stringMatching(/"SHA256SUMS" in the given files is damaged/)]);
});
