import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openCheckpoint, readJson, readText } from "../../src/checkpoint/checkpoint.ts";
import { writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { type FileBytes, mapSource, memoryTarget } from "../../src/checkpoint/source.ts";
import { FormatError } from "../../src/core/errors.ts";

const text = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

/** A safetensors file of bytes, each tensor filled with its value. */
async function shard(tensors: Record<string, number>): Promise<Uint8Array> {
  const target = memoryTarget();
  const list = Object.entries(tensors).map(([name, value]) => ({
    name,
    dtype: "U8" as const,
    shape: [2],
    bytes: () => Uint8Array.of(value, value),
  }));
  await writeSafetensors(target, "f", list);
  return target.files.get("f")!;
}

const first = "model-00001-of-00002.safetensors";
const second = "model-00002-of-00002.safetensors";
const index = (weightMap: unknown) => ({
  "model.safetensors.index.json": text({ metadata: { total_size: 4 }, weight_map: weightMap }),
});
const open = (files: Record<string, FileBytes>) => openCheckpoint(mapSource(files, "memory"));

test("one file and an index with shards give the same tensors", async () => {
  const single = await open({ "model.safetensors": await shard({ a: 1, b: 2 }) });
  const sharded = await open({
    ...index({ a: first, b: second }),
    [first]: await shard({ a: 1 }),
    [second]: await shard({ b: 2 }),
  });
  expect([single.files, sharded.files]).toEqual([["model.safetensors"], [first, second]]);
  for (const checkpoint of [single, sharded]) {
    const read = await Promise.all(
      [...checkpoint.tensors.values()].map(async (t) => [t.name, t.dtype, t.shape, ...(await t.read())]),
    );
    expect(read).toEqual([
      ["a", "U8", [2], 1, 1],
      ["b", "U8", [2], 2, 2],
    ]);
  }
});

test("the index decides between two shards that hold the same name, and leaves out what it does not name", async () => {
  const files = { ...index({ a: second }), [first]: await shard({ a: 1 }), [second]: await shard({ a: 2, extra: 3 }) };
  const { tensors } = await open(files);
  expect([...tensors.keys()]).toEqual(["a"]);
  expect(await tensors.get("a")!.read()).toEqual(Uint8Array.of(2, 2));
});

describe("one clear error for", () => {
  test("missing shards, all of them", async () => {
    await expect(open(index({ a: first, b: second, c: second }))).rejects.toThrow(
      new FormatError(`memory lacks 2 of 2 shards (2 problems)\n  "${first}": missing\n  "${second}": missing`),
    );
  });

  test("tensors that are not where the index puts them, all of them", async () => {
    const files = { ...index({ a: first, b: first, c: first }), [first]: await shard({ b: 1 }) };
    await expect(open(files)).rejects.toThrow(
      new FormatError(
        `"model.safetensors.index.json" in memory does not match its shards (2 problems)\n  "a": not in "${first}", where the index puts it\n  "c": not in "${first}", where the index puts it`,
      ),
    );
  });

  test("a shard that is cut short", async () => {
    const files = { ...index({ a: first }), [first]: (await shard({ a: 1 })).subarray(0, -1) };
    await expect(open(files)).rejects.toThrow(`"${first}" in memory is not a valid safetensors file`);
  });

  test("a shard outside the folder", async () => {
    await expect(open(index({ a: "../secret.safetensors" }))).rejects.toThrow(
      'file name "../secret.safetensors" must be relative and stay inside',
    );
  });

  test.each([[[]], [{}], [{ a: 1 }], ["x"], [undefined]])("an index whose weight_map is %j", async (weightMap) => {
    await expect(open(index(weightMap))).rejects.toThrow(
      '"model.safetensors.index.json" in memory: expected { "weight_map"',
    );
  });

  test("no weights, saying what is there instead", async () => {
    await expect(open({})).rejects.toThrow(
      'memory contains none of "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"; it is empty',
    );
    await expect(open({ "config.json": text("{}") })).rejects.toThrow("; it contains config.json");
    await expect(open({ "weights.bin": text("") })).rejects.toThrow('; "weights.bin" is pickled Python; save it again');
  });
});

test("readJson takes what Python writes and names file, line and column of a fault", async () => {
  const source = mapSource(
    {
      good: text('{"a": [1, 2.5]}'),
      python: text('{"eps": Infinity}'),
      bad: text('{"a": 1,\n "b": }'),
      latin: Uint8Array.of(0x22, 0xe9, 0x22),
    },
    "memory",
  );
  expect(await readJson(source, "good")).toEqual({ a: [1, 2.5] });
  expect(await readJson(source, "python")).toEqual({ eps: Number.POSITIVE_INFINITY });
  await expect(readJson(source, "bad")).rejects.toThrow(
    new FormatError('"bad" in memory: line 2, column 7: found "}", expected a value'),
  );
  await expect(readJson(source, "latin")).rejects.toThrow(new FormatError('"latin" in memory is not UTF-8 text'));
  await expect(readJson(source, "none")).rejects.toThrow(new FormatError('memory has no file "none"'));
});

test("readText drops a byte order mark", async () => {
  expect(await readText(mapSource({ f: text("\ufeffx") }), "f")).toBe("x");
});

test("tensors are named as in the reference implementation's file", async () => {
  const bytes = readFileSync(new URL("fixtures/mixed.safetensors", import.meta.url));
  expect((await open({ "model.safetensors": bytes })).tensors.get("i16")!.shape).toEqual([3]);
});
