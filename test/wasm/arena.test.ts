import { expect, test } from "vitest";
import { StateError } from "../../src/core/errors.ts";
import { Arena } from "../../src/wasm/arena.ts";
import type { Ptr } from "../../src/wasm/memory.ts";

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
    "the step needs at least 3.1 kB of working memory, but 2.0 kB were reserved for it",
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
