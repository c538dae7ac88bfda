import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openAdapterWeights } from "../../src/adapt/files/load.ts";
import { openCheckpoint } from "../../src/checkpoint/checkpoint.ts";
import { mapSource } from "../../src/checkpoint/source.ts";
import { openTorchFile } from "../../src/checkpoint/torch-file.ts";
import { FormatError, UnsupportedError } from "../../src/core/errors.ts";

const fixture = (name: string) => new Uint8Array(readFileSync(new URL(`fixtures/${name}`, import.meta.url)));
const open = (bytes: Uint8Array) => openTorchFile(mapSource({ "x.bin": bytes }, "memory"), "x.bin");

/** What each tensor of fixtures/tensors.bin is, as make_torch.py says: element type, shape, bytes. */
const f32 = (...values: number[]) => [...new Uint8Array(new Float32Array(values).buffer)];
const u16 = (...values: number[]) => [...new Uint8Array(new Uint16Array(values).buffer)];
const base = Array.from({ length: 12 }, (_, i) => i);
const expected: Record<string, [string, number[], number[]]> = {
  f32: ["F32", [2, 3], f32(0, 0.75, 1.5, 2.25, 3, 3.75)],
  bf16: ["BF16", [2, 2], u16(0, 0x3fc0, 0x4040, 0x4090)],
  f16: ["F16", [3], u16(0x8000, 0xb800, 0xbc00)],
  f64: ["F64", [2], [...new Uint8Array(new Float64Array([0, 1]).buffer)]],
  i64: ["I64", [2], [...new Uint8Array(new BigInt64Array([0n, 1n]).buffer)]],
  i32: ["I32", [2], [0, 0, 0, 0, 1, 0, 0, 0]],
  i16: ["I16", [2], [0, 0, 1, 0]],
  i8: ["I8", [2], [255, 0]],
  u8: ["U8", [3], [0, 1, 2]],
  u16: ["U16", [3], [0, 0, 1, 0, 2, 0]],
  bool: ["BOOL", [2], [1, 0]],
  f8: ["F8_E4M3", [3], [0, 0x38, 0x40]],
  scalar: ["F32", [], f32(2.5)],
  empty: ["F32", [0, 3], []],
  parameter: ["F32", [2], f32(0, 1)],
  shared: ["F32", [4, 3], f32(...base)],
  rows: ["F32", [2, 3], f32(...base.slice(3, 9))],
  row: ["F32", [3], f32(...base.slice(9))],
};

test.each([
  ["tensors.bin", Object.keys(expected)],
  ["legacy.bin", Object.keys(expected).filter((name) => !["u16", "f8"].includes(name))],
])("the tensors of %s have the types, shapes and bytes that PyTorch saved", async (file, names) => {
  const { tensors } = await open(fixture(file));
  expect([...tensors.keys()]).toEqual(names);
  for (const [name, tensor] of tensors) {
    const [dtype, shape, bytes] = expected[name]!;
    expect([name, tensor.dtype, tensor.shape, [...(await tensor.read())]]).toEqual([name, dtype, shape, bytes]);
    expect([...(await tensor.read(bytes.length >> 1))], name).toEqual(bytes.slice(bytes.length >> 1));
    expect([tensor.name, tensor.byteLength]).toEqual([name, bytes.length]);
  }
});

test.each(["state-dict.bin", "zip64.bin"])("the state dict of %s is read, its metadata aside", async (file) => {
  const { tensors } = await open(fixture(file));
  expect([...tensors.keys()]).toEqual(["weight", "bias"]);
  expect([...(await tensors.get("bias")!.read())]).toEqual(f32(0.5, -0.5));
});

test("a model is opened from pytorch_model.bin or its shards, safetensors first", async () => {
  const shard = fixture("state-dict.bin");
  const index = JSON.stringify({ weight_map: { weight: "a.bin", bias: "b.bin" } });
  const sharded = { "pytorch_model.bin.index.json": new TextEncoder().encode(index), "a.bin": shard, "b.bin": shard };
  const { files, tensors } = await openCheckpoint(mapSource(sharded));
  expect(files).toEqual(["a.bin", "b.bin"]);
  expect([...tensors].map(([name, { file }]) => [name, file])).toEqual([
    ["weight", "a.bin"],
    ["bias", "b.bin"],
  ]);
  const single = { "pytorch_model.bin": shard, ...sharded };
  expect((await openCheckpoint(mapSource(single))).files).toEqual(["pytorch_model.bin"]);
  const both = { ...single, "model.safetensors": fixture("empty.safetensors") };
  expect((await openCheckpoint(mapSource(both))).files).toEqual(["model.safetensors"]);
});

test("an adapter is opened from adapter_model.bin where there is no safetensors file", async () => {
  const pickled = { "adapter_model.bin": fixture("state-dict.bin") };
  expect([...(await openAdapterWeights(mapSource(pickled))).keys()]).toEqual(["weight", "bias"]);
  const both = { ...pickled, "adapter_model.safetensors": fixture("empty.safetensors") };
  expect((await openAdapterWeights(mapSource(both))).size).toBe(0);
});

test.each(["hostile.bin", "hostile-5.bin"])(
  "%s, which asks to run a command, is refused by the command's name",
  async (file) => {
    await expect(open(fixture(file))).rejects.toThrow(UnsupportedError);
    await expect(open(fixture(file))).rejects.toThrow(
      `"x.bin" in memory uses Python's "posix.system": only tensors are read`,
    );
  },
);

test("tensors that do not lie as they are read are listed, with what to do", async () => {
  const opening = open(fixture("strided.bin"));
  await expect(opening).rejects.toThrow(FormatError);
  await expect(opening).rejects.toThrow(
    'is not a readable dict of tensors (2 problems)\n  "turned": has strides [1, 3] for shape [3, 4]; save it after .contiguous()\n  "spread": has strides [0]',
  );
});

test("what is no dict of tensors is named", async () => {
  await expect(open(fixture("nested.bin"))).rejects.toThrow(
    '"state_dict": is a dict with 1 entries, expected a tensor\n  "epoch": is 3, expected a tensor',
  );
  await expect(open(fixture("compressed.bin"))).rejects.toThrow('entry "archive/data.pkl" is compressed');
  await expect(open(fixture("mixed.safetensors"))).rejects.toThrow(FormatError);
  await expect(open(new Uint8Array())).rejects.toThrow(FormatError);
  await expect(open(new TextEncoder().encode("<html>"))).rejects.toThrow("was not written by torch.save");
});

test.each(["tensors.bin", "legacy.bin", "state-dict.bin", "zip64.bin"])(
  "%s cut anywhere is an error, never other tensors",
  async (file) => {
    const whole = fixture(file);
    for (let length = 0; length < whole.length; length += length < 600 ? 7 : 61) {
      const error = await open(whole.subarray(0, length)).catch((cause: unknown) => cause);
      expect(error instanceof FormatError || error instanceof UnsupportedError, `${length} bytes: ${error}`).toBe(true);
    }
  },
);

test("any changed byte gives tensors within the file, or one of the library's errors", async () => {
  for (const file of ["state-dict.bin", "zip64.bin", "legacy.bin"]) {
    const whole = fixture(file);
    let refused = 0;
    for (let at = 0; at < whole.length; at += 3) {
      const changed = whole.slice();
      changed[at]! ^= 1 << (at % 8);
      const result = await open(changed).catch((cause: unknown) => cause);
      if (result instanceof Error) {
        expect(result instanceof FormatError || result instanceof UnsupportedError, `byte ${at}: ${result.stack}`).toBe(
          true,
        );
        refused++;
      } else {
        const { tensors } = result as Awaited<ReturnType<typeof open>>;
        for (const tensor of tensors.values()) expect(tensor.end).toBeLessThanOrEqual(whole.length);
      }
    }
    expect(refused).toBeGreaterThan(50);
  }
});

test("only the table and the pickle are read, not the tensors", async () => {
  const bytes = fixture("tensors.bin");
  const whole = mapSource({ "x.bin": bytes });
  let read = 0;
  const counting: typeof whole = {
    ...whole,
    async read(file, start, end) {
      const part = await whole.read(file, start, end);
      read += part.length;
      return part;
    },
  };
  const { tensors } = await openTorchFile(counting, "x.bin");
  const opened = read;
  await tensors.get("f32")!.read();
  expect(read - opened).toBe(24);
});
