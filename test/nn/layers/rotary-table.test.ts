import { expect, test } from "vitest";
import { UnsupportedError } from "../../../src/core/errors.ts";
import { ConfigReader, type RawConfig } from "../../../src/nn/config.ts";
import { RotaryTable, rotaryFrequencies } from "../../../src/nn/layers/rotary-table.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import { expectClose } from "../../golden-files.ts";

const of = (raw: RawConfig, dim = 8) => rotaryFrequencies(new ConfigReader(raw), dim);
const plain = [1, 0.1, 0.01, 0.001];

test("frequencies fall from 1 by the base", () => {
  expectClose("default base", of({}), plain, 0, 1e-6);
  expectClose("another base", of({ rope_theta: 16 }), [1, 0.5, 0.25, 0.125], 0, 1e-6);
});

test("linear scaling divides all of them, by either name of the key", () => {
  const quarter = plain.map((f) => f / 4);
  expectClose("type", of({ rope_scaling: { type: "linear", factor: 4 } }), quarter, 0, 1e-6);
  expectClose("rope_type", of({ rope_scaling: { rope_type: "linear", factor: 4 } }), quarter, 0, 1e-6);
  const parameters = { rope_parameters: { rope_type: "linear", factor: 4, rope_theta: 10000 } };
  expectClose("parameters", of(parameters), quarter, 0, 1e-6);
});

test("llama3 keeps short waves, slows long ones, and blends those between", () => {
  const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
  const got = of({ rope_scaling: { ...llama3, original_max_position_embeddings: 1000 } });
  // Wavelengths 6.28, 62.8, 628 and 6283 against 1000 / 4 and 1000 / 1; the third is 1000 / 628.3 = 1.5915 of them.
  const smooth = (1000 / (2 * Math.PI * 100) - 1) / 3;
  expectClose("llama3", got, [1, 0.1, (1 - smooth) * (0.01 / 8) + smooth * 0.01, 0.001 / 8], 0, 1e-6);
});

test("another scaling is refused by name", () => {
  expect(() => of({ rope_scaling: { rope_type: "yarn", factor: 4 } })).toThrow(UnsupportedError);
  expect(() => of({ rope_scaling: { rope_type: "yarn", factor: 4 } })).toThrow('has type "yarn"');
});

test("a table holds cos and sin of position times frequency, and gives its memory back", async () => {
  using engine = await createEngine({ build: "baseline" });
  const before = engine.memory.usedBytes;
  const table = new RotaryTable(engine, Float32Array.from(plain), 100);
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
  const table = new RotaryTable(engine, Float32Array.of(1), 1_000_000);
  table.upTo(1);
  const small = engine.memory.usedBytes;
  table.upTo(5000);
  expect(engine.memory.usedBytes).toBeGreaterThan(small);
  expect(engine.memory.usedBytes).toBeLessThan(1_000_000);
  const { cos } = table.upTo(5000);
  expect(engine.memory.f32(cos, 5000)[4999]).toBeCloseTo(Math.cos(4999), 6);
  table.dispose();
});
