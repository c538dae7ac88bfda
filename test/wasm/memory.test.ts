import { expect, test } from "vitest";
import { StateError } from "../../src/core/errors.ts";
import { Arena } from "../../src/wasm/arena.ts";
import { MeasuredMemory } from "../../src/wasm/measured-memory.ts";
import { formatBytes, MAX_BYTES, Memory, type Ptr } from "../../src/wasm/memory.ts";

const PAGE = 65536;

test("blocks are 64-byte aligned, apart from each other and above the kernels' tables", () => {
  const memory = new Memory();
  const blocks = [1, 64, 65, 0].map((bytes) => memory.alloc(bytes, "a block"));
  expect(blocks).toEqual([PAGE, PAGE + 64, PAGE + 128, PAGE + 256]);
  expect(memory.usedBytes).toBe(64 + 64 + 128 + 64);
});

test("a freed block is used again, its neighbours joined, and the first that fits is taken", () => {
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
  expect(asked).toThrow('memory: "wte.weight" [50257, 768] needs 197 kB more, 65.5 kB of at most 262 kB are in use');
  expect(memory.usedBytes).toBe(PAGE);
  expect(memory.alloc(2 * PAGE, "what fits")).toBe(2 * PAGE);
});

test("a memory that the host refuses to grow says so", () => {
  const memory = new Memory();
  memory.wasm.grow = () => {
    throw new RangeError("refused");
  };
  expect(() => memory.alloc(PAGE, "a block")).toThrow(
    "a block needs 65.5 kB more, 0 B of at most 4.3 GB are in use, and this host refuses",
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

test("an arena takes the smallest hole that is large enough", () => {
  const arena = new Arena(1024, 4096);
  const [a, , c] = [512, 64, 128, 64].map((bytes) => arena.alloc(bytes)) as [Ptr, Ptr, Ptr, Ptr];
  arena.free(a);
  arena.free(c);
  expect(arena.alloc(100), "fits the hole of 128 though that of 512 comes first").toBe(c);
  expect(arena.alloc(100)).toBe(a);
});

test("an arena joins a freed block with the holes on both sides, and with the end", () => {
  const arena = new Arena(0, 4096);
  const [a, b, c, d] = [64, 64, 64, 64].map((bytes) => arena.alloc(bytes)) as [Ptr, Ptr, Ptr, Ptr];
  for (const block of [a, c, b]) arena.free(block);
  expect(arena.alloc(192)).toBe(a);
  arena.free(d);
  arena.free(a);
  expect(arena.usedBytes).toBe(0);
  expect(arena.alloc(4096)).toBe(0);
});

test("an arena's peak is its largest extent, and a reset keeps it", () => {
  const arena = new Arena(0, 4096);
  const first = arena.alloc(1000);
  arena.alloc(64);
  arena.free(first);
  arena.alloc(64);
  expect(arena.peakBytes).toBe(1024 + 64);
  expect(arena.usedBytes).toBe(128);
  arena.reset();
  expect(arena.usedBytes).toBe(0);
  expect(arena.peakBytes).toBe(1024 + 64);
});

test("an arena that is too small says what the step needs and what was set aside", () => {
  const arena = new Arena(0, 2048);
  arena.alloc(1024);
  expect(() => arena.alloc(2048)).toThrow(StateError);
  expect(() => arena.alloc(2048)).toThrow(
    "the step needs at least 3.1 kB of working memory, 2.0 kB were set aside for it",
  );
});

test("an arena of many blocks freed in any order ends empty, and never hands out a byte twice", () => {
  const arena = new Arena(0, Number.POSITIVE_INFINITY);
  const live: { at: number; end: number }[] = [];
  for (let i = 0; i < 2000; i++) {
    if (i % 5 < 3) {
      const bytes = 64 + ((i * 7919) % 1500);
      const at = arena.alloc(bytes);
      for (const other of live) expect(at >= other.end || at + bytes <= other.at).toBe(true);
      live.push({ at, end: at + bytes });
    } else {
      const [gone] = live.splice((i * 104729) % live.length, 1);
      arena.free(gone!.at as Ptr);
    }
  }
  for (const { at } of live) arena.free(at as Ptr);
  expect(arena.usedBytes).toBe(0);
  const whole = arena.peakBytes;
  expect(arena.alloc(whole)).toBe(0);
  expect(arena.peakBytes).toBe(whole);
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

test("a measured memory counts as another does, without a limit, and holds nothing", () => {
  const measured: Memory = new MeasuredMemory();
  const real = new Memory();
  for (const memory of [measured, real]) {
    const [a, b] = [memory.alloc(1000, "a"), memory.alloc(5 * PAGE, "b")];
    memory.free(a);
    expect(memory.alloc(64, "c")).toBe(a);
    expect(b).toBe(PAGE + 1024);
  }
  expect(measured.usedBytes).toBe(real.usedBytes);
  expect(measured.peakBytes).toBe(real.peakBytes);
  expect(Math.ceil(measured.byteLength / PAGE) * PAGE).toBe(real.byteLength);
  const far = measured.alloc(1e12, "far more than there is");
  for (const view of ["u8", "i8", "u16", "i32", "f32", "f64"] as const) expect(measured[view](far, 8)).toHaveLength(0);
  expect(measured.wasm.buffer.byteLength).toBe(PAGE);
});
