import { expect, test } from "vitest";
import { StateError } from "../../src/core/errors.ts";
import { Arena } from "../../src/wasm/arena.ts";
import { formatBytes, MAX_BYTES, Memory, type Ptr } from "../../src/wasm/memory.ts";

const PAGE = 65536;

test("blocks are 64-byte aligned, apart from each other and above the kernels' tables", () => {
  const memory = new Memory();
  const blocks = [1, 64, 65, 0].map((bytes) => memory.alloc(bytes, "a block"));
  expect(blocks).toEqual([PAGE, PAGE + 64, PAGE + 128, PAGE + 256]);
  expect(memory.usedBytes).toBe(64 + 64 + 128 + 64);
});

test("a freed block is used again, its neighbors joined, and the first that fits is taken", () => {
  const memory = new Memory();
  const [a, b, c, d] = [1, 2, 3, 4].map(() => memory.alloc(1024, "a block")) as [Ptr, Ptr, Ptr, Ptr];
  memory.free(a);
  memory.free(c);
  expect(memory.alloc(2048, "more than any hole"), "goes to the end").toBe(d + 1024);
  memory.free(b);
  expect(memory.alloc(3072, "all three holes as one")).toBe(a);
  memory.free(a);
  expect(memory.alloc(64, "a part of the hole")).toBe(a);
  expect(memory.alloc(64, "the next part")).toBe(a + 64);
});

test("freeing the last block gives its room to the end again, holes before it included", () => {
  const memory = new Memory();
  const [a, b] = [memory.alloc(1024, "a"), memory.alloc(1024, "b")];
  memory.free(a);
  memory.free(b);
  expect(memory.usedBytes).toBe(0);
  expect(memory.peakBytes).toBe(2048);
  expect(memory.alloc(4096, "c")).toBe(a);
});

test("memory grows by just the pages that are missing, and keeps what it holds", () => {
  const memory = new Memory();
  const a = memory.alloc(4, "a");
  memory.f32(a, 1)[0] = 1.5;
  expect(memory.byteLength).toBe(2 * PAGE);
  memory.alloc(3 * PAGE, "b");
  expect(memory.byteLength).toBe(PAGE + Math.ceil((3 * PAGE + 64) / PAGE) * PAGE);
  expect(memory.f32(a, 1)[0]).toBe(1.5);
});

test("a block that passes the limit is an error with what is needed, used and allowed, and takes nothing", () => {
  const memory = new Memory(4 * PAGE);
  memory.alloc(PAGE, "the first");
  const asked = () => memory.alloc(3 * PAGE, '"wte.weight" [50257, 768]');
  expect(asked).toThrow(StateError);
  expect(asked).toThrow(
    'memory: "wte.weight" [50257, 768] needs 197 kB more, but 65.5 kB of at most 262 kB are in use',
  );
  expect(memory.usedBytes).toBe(PAGE);
  expect(memory.alloc(2 * PAGE, "what fits")).toBe(2 * PAGE);
});

test("a memory that the host refuses to grow says so", () => {
  const memory = new Memory();
  memory.wasm.grow = () => {
    throw new RangeError("refused");
  };
  expect(() => memory.alloc(PAGE, "a block")).toThrow(
    "a block needs 65.5 kB more, but 0 B of at most 4.3 GB are in use, and this host refuses",
  );
});

test("no limit above 4 GiB less a page is accepted, for the end of memory must be an address", () => {
  expect(new Memory(2 ** 40).maxBytes).toBe(MAX_BYTES);
  expect(MAX_BYTES).toBeLessThan(2 ** 32);
});

test("freeing what is not in use is an error, in memory and in an arena", () => {
  const memory = new Memory();
  const block = memory.alloc(64, "a block");
  memory.free(block);
  expect(() => memory.free(block)).toThrow(StateError);
  expect(() => new Arena(0, 1024).free(0 as Ptr)).toThrow(StateError);
});

test.each([
  [999, "999 B"],
  [1000, "1.0 kB"],
  [1_500_000, "1.5 MB"],
  [2_000_000_000_000, "2000 GB"],
])("%i bytes are written %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test("an offer is all that was asked for, the limit, or what the host gives", () => {
  expect(new Memory().offer(10 * PAGE)).toBe(10 * PAGE);
  const limited = new Memory(4 * PAGE);
  expect(limited.offer(10 * PAGE)).toBe(4 * PAGE);
  expect(limited.byteLength, "nothing was taken in vain").toBe(PAGE);
  const memory = new Memory();
  const grow = memory.wasm.grow.bind(memory.wasm);
  memory.wasm.grow = (pages) => {
    if (memory.byteLength + pages * PAGE > 7 * PAGE) throw new RangeError("out of memory");
    return grow(pages);
  };
  const offered = memory.offer(100 * PAGE);
  expect(offered).toBeGreaterThan(6 * PAGE);
  expect(offered).toBeLessThanOrEqual(7 * PAGE);
  memory.alloc(offered - PAGE, "all that there is");
});
