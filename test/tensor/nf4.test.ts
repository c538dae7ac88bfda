import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { allocateFrozen, frozenBytes, frozenWriter } from "../../src/tensor/frozen.ts";
import { dynamicMap, readNf4 } from "../../src/tensor/nf4.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";
import type { Ptr } from "../../src/wasm/memory.ts";

const golden = JSON.parse(readFileSync(new URL("../golden/nf4.json", import.meta.url), "utf8"));
const bytes = (key: string) => new Uint8Array(Buffer.from(golden[key], "base64"));
const floats = (key: string) => new Float32Array(bytes(key).buffer);

/** The numbers that the golden was made of. */
function numbers(): Float32Array {
  let state = 1;
  return Float32Array.from({ length: golden.rows * golden.cols }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * 2 ** ((Math.floor(i / golden.cols) % 7) - 5);
  });
}

/** Writes values in pieces of so many rows. */
function frozen(engine: Engine, values: Float32Array, cols: number, rowsAtATime: number) {
  const shape = [values.length / cols, cols];
  const tensor = allocateFrozen(engine.memory, "w", shape, "nf4", false);
  const writer = frozenWriter(engine, tensor);
  const piece = rowsAtATime * cols;
  for (let start = 0; start < values.length; start += piece) writer.write(values.slice(start, start + piece), start, 0);
  writer.finish();
  return tensor;
}

test("the map of 8-bit scales is bitsandbytes'", () => {
  expect(dynamicMap()).toEqual(floats("map"));
});

test.each([1, 7, 90])(
  "codes, scales and values are bitsandbytes', bit for bit, however the tensor arrives: %i rows at a time",
  async (rows) => {
    using engine = await createEngine({ build: "baseline" });
    const size = golden.rows * golden.cols;
    const { ptr } = frozen(engine, numbers(), golden.cols, rows);
    const { memory } = engine;
    const [codes, absmax, absmax2] = memory.i32(ptr, 3) as unknown as [Ptr, Ptr, Ptr];
    expect(memory.f32((ptr + 12) as Ptr, 1).slice()).toEqual(floats("offset"));
    expect(memory.u8(codes, bytes("codes").length).slice()).toEqual(bytes("codes"));
    expect(memory.u8(absmax, bytes("absmax").length).slice()).toEqual(bytes("absmax"));
    expect(memory.f32(absmax2, floats("absmax2").length).slice()).toEqual(floats("absmax2"));
    const sample = readNf4(memory, ptr, size, 0, size).filter((_, i) => i % 97 === 0);
    expect(sample).toEqual(floats("sample"));
  },
);

test("half a byte an element and a little for the scales", () => {
  expect(frozenBytes([4096, 4096], "nf4", false) / 4096 ** 2).toBeCloseTo(0.5 + 1 / 64 + 4 / 16384, 3);
});
