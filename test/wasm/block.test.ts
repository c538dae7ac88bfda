import { expect, test } from "vitest";
import { StateError } from "../../src/core/errors.ts";
import { MemoryBlock } from "../../src/wasm/block.ts";
import { Memory } from "../../src/wasm/memory.ts";

test("a block that is freed keeps no address, not even once another has its place", () => {
  const memory = new Memory();
  const block = new MemoryBlock(memory, 100, '"w" [5, 5]');
  const { ptr } = block;
  block.free();
  block.free();
  expect(memory.usedBytes).toBe(0);
  const next = new MemoryBlock(memory, 100, "another");
  expect(next.ptr).toBe(ptr);
  expect(() => block.ptr).toThrow(new StateError('"w" [5, 5] was disposed of: its memory is free or in other use'));
  block.free();
  expect(memory.usedBytes, "the other is still there").toBe(128);
});

test("a memory that is closed frees blocks and makes none", () => {
  const memory = new Memory();
  const block = new MemoryBlock(memory, 100, "a block");
  memory.close();
  expect(() => new MemoryBlock(memory, 100, "another")).toThrow("another: this engine was disposed of; create another");
  block.free();
  expect(memory.usedBytes).toBe(0);
});
