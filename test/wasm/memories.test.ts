import { expect, test } from "vitest";
import { StateError } from "../../src/core/errors.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { addressIn } from "../../src/wasm/memories.ts";
import type { Ptr } from "../../src/wasm/memory.ts";

const build = "baseline";

test("blocks are near what they are used with, in the last memory where they are near nothing", async () => {
  using engine = await createEngine({ build, threads: 1, memories: 3 });
  const { memory } = engine;
  expect(memory.each).toHaveLength(3);
  const [first, second, third] = memory.each.map((_, i) => memory.alloc(100, "a block", addressIn(i))) as [
    Ptr,
    Ptr,
    Ptr,
  ];
  expect([first, second, third].map((ptr) => memory.indexOf(ptr))).toEqual([0, 1, 2]);
  const beside = memory.alloc(100, "another", second);
  expect(memory.indexOf(beside)).toBe(1);
  expect(memory.indexOf(memory.alloc(100, "one more"))).toBe(2);
  expect(memory.each.map(({ usedBytes }) => usedBytes)).toEqual([128, 256, 256]);
  expect(memory.usedBytes).toBe(640);
  memory.free(second);
  expect(memory.each.map(({ usedBytes }) => usedBytes)).toEqual([128, 128, 256]);
  expect(() => memory.free(second)).toThrow("is not in use: was it disposed of twice?");
});

test("views and copies are of the memory of the address", async () => {
  using engine = await createEngine({ build, threads: 1, memories: 2 });
  const { memory } = engine;
  const [here, there] = [0, 1].map((i) => memory.alloc(64, "a block", addressIn(i))) as [Ptr, Ptr];
  memory.f32(here, 3).set([1, 2, 3]);
  memory.f32(there, 3).set([4, 5, 6]);
  expect([...memory.f32(here, 3)]).toEqual([1, 2, 3]);
  expect([...memory.f32(there, 3)]).toEqual([4, 5, 6]);
  memory.copy(there, here, 8);
  expect([...memory.f32(there, 3)]).toEqual([1, 2, 6]);
  expect(() => memory.u8(64 as Ptr, 1)).toThrow("64 is an address in none of the engine's memories");
});

test.each([1, 2])("a kernel runs in the memory of its addresses, with %i threads", async (threads) => {
  using engine = await createEngine({ build, threads, memories: 2 });
  const { memory, kernels } = engine;
  const size = 100_000; // worth splitting
  for (const i of [1, 0, 1]) {
    const [x, y, sum] = Array.from({ length: 3 }, () => memory.alloc(4 * size, "numbers", addressIn(i))) as [
      Ptr,
      Ptr,
      Ptr,
    ];
    memory.f32(x, size).fill(i + 1);
    memory.f32(y, size).fill(0.5);
    kernels.add_f32(sum, x, y, 0, size);
    expect(memory.f32(sum, size).every((value) => value === i + 1.5)).toBe(true);
  }
});

test("a kernel is refused whose arguments are in two memories", async () => {
  using engine = await createEngine({ build, threads: 1, memories: 2 });
  const { memory, kernels } = engine;
  const [here, there] = [0, 1].map((i) => memory.alloc(64, "a block", addressIn(i))) as [Ptr, Ptr];
  memory.f32(here, 4).fill(7);
  const refused = new StateError(
    "kernel add_f32: its arguments are in two memories of the engine; use one memory for this, or report it",
  );
  expect(() => kernels.add_f32(here, here, there, 0, 4)).toThrow(refused);
  expect(() => kernels.add_f32(there, here, here, 0, 4)).toThrow(refused);
  expect([...memory.f32(here, 4)]).toEqual([7, 7, 7, 7]);
});

test("each memory has the limit that is asked for, and its place for a step", async () => {
  using engine = await createEngine({ build, threads: 1, memories: 2, maxBytes: 1 << 20 });
  const { memory } = engine;
  const kept = [0, 1].map((i) => memory.alloc(600_000, "weights", addressIn(i)));
  expect(() => memory.alloc(600_000, "more weights", kept[0])).toThrow("more weights needs 600 kB more");
  expect(memory.offer(2_000_000, [1_000_000, 1_000_000])).toBe(2_000_000);
  expect(memory.offer(2_000_000, [1_500_000, 500_000])).toBe((1 << 20) + 500_000);
  expect(() => engine.takeArena(500_000)).toThrow(StateError);
  expect(memory.usedBytes, "nothing is left of a step without place").toBe(2 * 600_000);
  const arena = engine.takeArena(300_000);
  expect(engine.arenaBytes).toBe(600_000);
  expect(memory.each.map(({ usedBytes }) => usedBytes)).toEqual([900_032, 900_032]);
  expect(memory.indexOf(arena.alloc(1000))).toBe(1);
  engine.returnArena();
});

test("the number of memories is checked", async () => {
  for (const memories of [0, 1.5, 33])
    await expect(createEngine({ memories })).rejects.toThrow("expected a whole number from 1 to 32");
});

test("disposing of the engine frees the steps' places in all memories, and ends all of them", async () => {
  const engine = await createEngine({ build, threads: 2, memories: 2 });
  engine.takeArena(1000);
  engine.returnArena();
  engine.dispose();
  expect(engine.memory.usedBytes).toBe(0);
  expect(() => engine.memory.alloc(10, "a block", addressIn(0))).toThrow("was disposed of");
});
