import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SafeTensor } from "safetensors";
import { describe, expect, test } from "vitest";
import { openSafetensors, type TensorToWrite, writeSafetensors } from "../../src/checkpoint/safetensors.ts";
import { mapSource, memoryTarget } from "../../src/checkpoint/source.ts";
import { FormatError, ShapeError } from "../../src/core/errors.ts";

const here = dirname(fileURLToPath(import.meta.url));
const fixture = (name: string) => new Uint8Array(readFileSync(join(here, "fixtures", name)));

/** A file with this header text and this much data. */
function fileOf(header: unknown, dataBytes = 0): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

const open = (bytes: Uint8Array) => openSafetensors(mapSource({ f: bytes }, "memory"), "f");

async function write(tensors: TensorToWrite[], metadata?: Record<string, string> | null): Promise<Uint8Array> {
  const target = memoryTarget();
  await writeSafetensors(target, "f", tensors, metadata);
  return target.files.get("f")!;
}

/** The same file once more, from what reading it gave. */
async function rewrite(bytes: Uint8Array): Promise<Uint8Array> {
  const { tensors, metadata } = await open(bytes);
  const reversed = [...tensors.values()].reverse();
  return write(
    reversed.map((tensor) => ({
      name: tensor.name,
      dtype: tensor.dtype,
      shape: tensor.shape,
      bytes: () => tensor.read(),
    })),
    metadata,
  );
}

const f32 = (name: string, ...values: number[]): TensorToWrite => ({
  name,
  dtype: "F32",
  shape: [values.length],
  bytes: () => new Uint8Array(Float32Array.from(values).buffer),
});

describe("reading", () => {
  test("every element type of the reference implementation is read, in the order of the bytes", async () => {
    const { tensors, metadata } = await open(fixture("mixed.safetensors"));
    expect(metadata).toEqual({ format: "pt" });
    expect([...tensors.keys()]).toEqual([
      ...[
        "u64",
        "i64",
        "f64",
        "c64",
        "10",
        "9",
        "a.weight",
        "b.weight",
        'quote " and \\',
        "\uffff",
        "\u{10000}",
        "u32",
      ],
      ...["i32", "scalar", "empty", "half", "u16", "i16", "f8a", "f8b", "i8", "u8", "flags"],
    ]);
    const weight = tensors.get("b.weight")!;
    expect([weight.dtype, weight.shape, weight.byteLength]).toEqual(["F32", [2, 3], 24]);
    expect(new Float32Array((await weight.read()).slice().buffer)).toEqual(Float32Array.of(0, 1, 2, 3, 4, 5));
    expect(new Float32Array((await weight.read(8, 16)).slice().buffer)).toEqual(Float32Array.of(2, 3));
    expect([tensors.get("scalar")!.shape, tensors.get("empty")!.shape, tensors.get("empty")!.byteLength]).toEqual([
      [],
      [0, 3],
      0,
    ]);
  });

  test("only the header is read until a tensor is asked for, and then only that", async () => {
    const reads: [number, number][] = [];
    const source = mapSource({ f: fixture("mixed.safetensors") });
    const spied = {
      ...source,
      read: (file: string, start = 0, end = 0) => {
        reads.push([start, end]);
        return source.read(file, start, end);
      },
    };
    const { tensors } = await openSafetensors(spied, "f");
    const first = tensors.get("u64")!;
    expect(reads).toEqual([
      [0, 8],
      [8, first.start],
    ]);
    await first.read();
    expect(reads.at(-1)).toEqual([first.start, first.end]);
  });

  test("bytes outside a tensor are refused, even where the file has them", async () => {
    const { tensors } = await open(fixture("mixed.safetensors"));
    await expect(tensors.get("b.weight")!.read(0, 25)).rejects.toThrow('"b.weight"');
  });

  test("a file without metadata, and one without tensors, are fine", async () => {
    expect((await open(fixture("no-metadata.safetensors"))).metadata).toBeNull();
    expect((await open(fixture("empty.safetensors"))).tensors.size).toBe(0);
  });
});

/** Entry of a header: F32, shape [n], at [start, start + 4 n]. */
const at = (start: number, n: number, more: object = {}) => ({
  dtype: "F32",
  shape: [n],
  data_offsets: [start, start + 4 * n],
  ...more,
});

const lies: readonly (readonly [string, Uint8Array, string])[] = [
  ["shorter than 8 bytes", new Uint8Array(7), '"f" in memory has 7 bytes, but a safetensors file has at least 8'],
  [
    "header past the end",
    fileOf("{}").subarray(0, 9),
    "declares a header of 2 bytes, but only 1 follow: it is truncated",
  ],
  [
    "header of 2^63 bytes",
    Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128, 123, 125),
    "declares a header of 9223372036854775808 bytes, but at most 100000000 are allowed",
  ],
  ["no header", new Uint8Array(8), "found the end, expected a value"],
  ["not JSON", fileOf("{x}"), 'header of "f" in memory: line 1, column 2: found "x}", expected a key'],
  ["not UTF-8", fileOf("{}").map((byte, i) => (i === 9 ? 0xff : byte)), "is not UTF-8 text"],
  ["a byte order mark", fileOf("\ufeff{}"), "expected a value"],
  ["not an object", fileOf([1]), "found [1], expected an object of tensors"],
  ["the same name twice", fileOf('{"a":1,"a":1}'), "expected a key not used before"],
  [
    "metadata with a number",
    fileOf({ __metadata__: { a: 1 } }),
    '__metadata__: found {"a":1}, expected an object whose values are all text',
  ],
  ["an entry that is text", fileOf({ a: "b" }), '"a": found "b", expected { dtype, shape, data_offsets }'],
  ["an unknown dtype", fileOf({ a: at(0, 1, { dtype: "F31" }) }, 4), '"a": dtype is "F31", expected one of BOOL, U8'],
  ["a dtype every object has", fileOf({ a: at(0, 1, { dtype: "constructor" }) }, 4), '"a": dtype is "constructor"'],
  ["no dtype", fileOf({ a: { shape: [1], data_offsets: [0, 4] } }, 4), '"a": dtype is missing'],
  [
    "a negative size",
    fileOf({ a: at(0, 1, { shape: [-1] }) }, 4),
    '"a": shape is [-1], expected a list of whole numbers of at least 0',
  ],
  // What Rust's reader refuses as well.
  [
    "a size written as a float",
    fileOf('{"a":{"dtype":"U8","shape":[2.0],"data_offsets":[0,2]}}', 2),
    '"a": shape is [2.0]',
  ],
  [
    "a size with an exponent",
    fileOf('{"a":{"dtype":"U8","shape":[1e1],"data_offsets":[0,10]}}', 10),
    '"a": shape is [10.0]',
  ],
  [
    "an offset below zero",
    fileOf('{"a":{"dtype":"U8","shape":[0],"data_offsets":[-0,0]}}'),
    '"a": data_offsets is [-0.0,0]',
  ],
  [
    "an offset written as a float",
    fileOf('{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2.0]}}', 2),
    '"a": data_offsets is [0,2.0]',
  ],
  [
    "half of a surrogate pair in a name",
    fileOf('{"a\\ud800":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}', 2),
    "has half of a surrogate pair",
  ],
  ["half of a surrogate pair in metadata", fileOf('{"__metadata__":{"a":"\\udc00"}}'), "has half of a surrogate pair"],
  ["half an element", fileOf({ a: at(0, 1, { shape: [0.5] }) }, 4), '"a": shape is [0.5]'],
  ["a size in text", fileOf({ a: at(0, 1, { shape: ["1"] }) }, 4), '"a": shape is ["1"]'],
  [
    "a size beyond 2^53",
    fileOf('{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,0]}}'),
    '"a": shape is [9007199254740993]',
  ],
  [
    "sizes whose product overflows",
    fileOf({ a: at(0, 0, { shape: [2 ** 40, 2 ** 40] }) }),
    "is too large for any file",
  ],
  [
    "one offset",
    fileOf({ a: at(0, 1, { data_offsets: [0] }) }, 4),
    '"a": data_offsets is [0], expected two whole numbers',
  ],
  ["a negative offset", fileOf({ a: at(0, 1, { data_offsets: [-4, 0] }) }, 4), '"a": data_offsets is [-4,0]'],
  ["offsets backwards", fileOf({ a: at(0, 1, { data_offsets: [4, 0] }) }, 4), '"a": data_offsets [4, 0] hold -4 bytes'],
  [
    "bytes that do not fit the shape",
    fileOf({ a: at(0, 2, { shape: [3] }) }, 8),
    '"a": data_offsets [0, 8] hold 8 bytes, but shape [3] of F32 needs 12',
  ],
  [
    "overlap",
    fileOf({ a: at(0, 2), b: at(4, 1) }, 8),
    '"b": starts at 4 and overlaps the tensor before it, which ends at 8',
  ],
  [
    "the same bytes twice",
    fileOf({ a: at(0, 1), b: at(0, 1) }, 4),
    '"b": starts at 0 and overlaps the tensor before it, which ends at 4',
  ],
  [
    "a hole",
    fileOf({ a: at(0, 1), b: at(8, 1) }, 12),
    '"b": starts at 8 and leaves a hole after the bytes that end at 4',
  ],
  [
    "a hole at the start",
    fileOf({ a: at(4, 1) }, 8),
    '"a": starts at 4 and leaves a hole after the bytes that end at 0',
  ],
  ["cut short", fileOf({ a: at(0, 2) }, 7), "it is truncated"],
  ["bytes of no tensor", fileOf({ a: at(0, 1) }, 5), "the rest belongs to no tensor"],
];

describe("one clear error for", () => {
  test.each(lies)("%s", async (_, bytes, message) => {
    const error = await open(bytes).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toContain('"f" in memory');
    expect((error as Error).message).toContain(message);
  });

  test("several faults at once, all of them listed", async () => {
    const file = fileOf({ a: at(0, 1, { dtype: "X" }), b: at(4, 1, { shape: [9] }), c: 3 }, 8);
    await expect(open(file)).rejects.toThrow(
      /valid safetensors file \(3 problems\)\n {2}"a": .*\n {2}"b": .*\n {2}"c": /,
    );
  });

  test("hundreds of faults, the first twenty listed", async () => {
    const file = fileOf(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`t${i}`, i])));
    await expect(open(file)).rejects.toThrow(/\(300 problems\)(\n {2}"t\d+": .*){20}\n {2}and 280 more$/);
  });
});

describe("writing", () => {
  test.each(["mixed", "no-metadata", "empty"])(
    "what the reference implementation wrote is written again byte for byte: %s",
    async (name) => {
      const bytes = fixture(`${name}.safetensors`);
      expect(Buffer.compare(await rewrite(bytes), bytes)).toBe(0);
    },
  );

  const golden = join(here, "..", "golden");
  const files = existsSync(golden)
    ? readdirSync(golden, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".safetensors"))
    : [];
  test.each(files)("golden file %s is written again byte for byte", async (file) => {
    const bytes = new Uint8Array(readFileSync(join(golden, file)));
    expect(Buffer.compare(await rewrite(bytes), bytes)).toBe(0);
  });

  test("data begins at a multiple of 8 whatever the length of the header", async () => {
    for (let n = 1; n <= 16; n++) {
      const bytes = await write([f32("x".repeat(n), 1)]);
      const { tensors } = await open(bytes);
      expect([...tensors.values()][0]!.start % 8).toBe(0);
    }
  });

  test("one tensor is asked for at a time, after the piece before it was taken", async () => {
    const log: string[] = [];
    const bytes = (name: string) => {
      log.push(`make ${name}`);
      return new Uint8Array(4);
    };
    const tensor = (name: string): TensorToWrite => ({ ...f32(name, 1), bytes: () => bytes(name) });
    const target = {
      name: "spy",
      async write(_: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) log.push(`take ${chunk.length}`);
      },
    };
    await writeSafetensors(target, "f", [tensor("b"), tensor("a")], null);
    expect(log).toEqual(["take 120", "make a", "take 4", "make b", "take 4"]);
  });

  test("the npm package safetensors reads what is written without metadata", async () => {
    const file = new SafeTensor(await write([f32("a", 1, 2), f32("b.weight", 3)], null));
    expect(file.metadata.get("b.weight")).toMatchObject({ dtype: "F32", shape: [1] });
    expect(new Float32Array(file.getTensor("a").slice().buffer)).toEqual(Float32Array.of(1, 2));
    expect(new Float32Array(file.getTensor("b.weight").slice().buffer)).toEqual(Float32Array.of(3));
  });

  test("two entries of one name, and a wrong number of bytes, are refused and nothing is written", async () => {
    const target = memoryTarget("memory");
    await expect(writeSafetensors(target, "f", [f32("a", 1), f32("a", 2)])).rejects.toThrow(
      new FormatError('"f" in memory cannot hold two entries named "a"'),
    );
    await expect(writeSafetensors(target, "f", [f32("__metadata__", 1)])).rejects.toThrow(FormatError);
    await expect(writeSafetensors(target, "f", [{ ...f32("a", 1), shape: [2] }])).rejects.toThrow(
      new ShapeError('"a": got 4 bytes to write, but shape [2] of F32 needs 8'),
    );
    expect(target.files.size).toBe(0);
  });
});
