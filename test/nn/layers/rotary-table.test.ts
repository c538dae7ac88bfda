import { expect, test } from "vitest";
import type { RotaryFrequencies } from "../../../src/nn/layers/rotary-frequencies.ts";
import { RotaryTable } from "../../../src/nn/layers/rotary-table.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import { expectClose } from "../../golden-files.ts";

const plain = [1, 0.1, 0.01, 0.001];
const rotary = (frequencies: readonly number[], contextLength: number): RotaryFrequencies => {
  const all = Float32Array.from(frequencies);
  return { at: () => all, scale: 1, contextLength, steadyLength: contextLength };
};

test("a table holds cos and sin of position times frequency, and gives its memory back", async () => {
  using engine = await createEngine({ build: "baseline" });
  const before = engine.memory.usedBytes;
  const table = new RotaryTable(engine, rotary(plain, 100));
  const { cos, sin, rotaryDim } = table.upTo(3);
  expect(rotaryDim).toBe(8);
  const angles = [0, 1, 2].flatMap((p) => plain.map((f) => p * f));
  expectClose("cos", engine.memory.f32(cos, 12), angles.map(Math.cos), 1e-7, 1e-6);
  expectClose("sin", engine.memory.f32(sin, 12), angles.map(Math.sin), 1e-7, 1e-6);
  expect(table.upTo(100).cos).toBe(cos); // short contexts are made whole at once
  table.dispose();
  expect(engine.memory.usedBytes).toBe(before);
});

test("a table of a long context grows as it is used", async () => {
  using engine = await createEngine({ build: "baseline" });
  const table = new RotaryTable(engine, rotary([1], 1_000_000));
  table.upTo(1);
  const small = engine.memory.usedBytes;
  table.upTo(5000);
  expect(engine.memory.usedBytes).toBeGreaterThan(small);
  expect(engine.memory.usedBytes).toBeLessThan(1_000_000);
  const { cos } = table.upTo(5000);
  expect(engine.memory.f32(cos, 5000)[4999]).toBeCloseTo(Math.cos(4999), 6);
  table.dispose();
});

test("a table is made anew where the length of the batch changes the frequencies, and is scaled", async () => {
  using engine = await createEngine({ build: "baseline" });
  const [short, long] = [Float32Array.of(1), Float32Array.of(0.5)];
  const table = new RotaryTable(engine, {
    at: (length) => (length > 4 ? long : short),
    scale: 1.5,
    contextLength: 8,
    steadyLength: 4,
  });
  const cosAt = (length: number, p: number) => engine.memory.f32(table.upTo(length).cos, length)[p]!;
  expect(cosAt(4, 2)).toBeCloseTo(1.5 * Math.cos(2), 6);
  expect(cosAt(5, 2)).toBeCloseTo(1.5 * Math.cos(1), 6);
  expect(cosAt(3, 2)).toBeCloseTo(1.5 * Math.cos(2), 6);
  table.dispose();
});
