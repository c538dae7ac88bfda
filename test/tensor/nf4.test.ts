import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Philox } from "../../src/core/philox.ts";
import { allocateFrozen, frozenBytes, frozenWriter } from "../../src/tensor/frozen.ts";
import { dynamicMap, readNf4 } from "../../src/tensor/nf4.ts";
import { relaxedSupported } from "../../src/wasm/builds.ts";
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

describe.each(relaxedSupported() ? (["baseline", "relaxed"] as const) : (["baseline"] as const))(
  "%s build",
  (build) => {
    test("dequantising, whole or in part, and picking rows give the very values", async () => {
      using engine = await createEngine({ build });
      const { memory, kernels } = engine;
      const [rows, cols] = [11, 50]; // rows begin anywhere in a block
      const values = Float32Array.from({ length: rows * cols }, () => random.normal());
      const { ptr } = frozen(engine, values, cols, 3);
      const want = readNf4(memory, ptr, rows * cols, 0, rows * cols);
      const y = memory.alloc(rows * cols * 4, "y");
      kernels.dequantize_nf4(y, ptr, 0, rows * cols);
      expect(memory.f32(y, rows * cols).slice()).toEqual(want);
      for (const [start, end] of [
        [0, 1],
        [3, 17],
        [15, 33],
        [63, 65],
        [100, 549],
      ] as const) {
        memory.f32(y, rows * cols).fill(7);
        kernels.dequantize_nf4(y, ptr, start, end);
        expect(memory.f32(y, rows * cols).slice()).toEqual(want.map((v, i) => (i >= start && i < end ? v : 7)));
      }
      const ids = memory.alloc(64, "ids");
      memory.i32(ids, 3).set([10, 0, 7]);
      kernels.embedding_nf4(y, ptr, ids, cols, 0, 3);
      const picked = [10, 0, 7].flatMap((id) => Array.from(want.slice(id * cols, (id + 1) * cols)));
      expect(Array.from(memory.f32(y, 3 * cols))).toEqual(picked);
    });

    test("matvec_nf4 sums what the values stand for, from any row on, and no bit depends on the range", async () => {
      using engine = await createEngine({ build });
      const { memory, kernels } = engine;
      const [m, n, k, first] = [3, 9, 128, 2];
      const values = Float32Array.from({ length: (n + first) * k }, () => random.normal());
      const { ptr } = frozen(engine, values, k, 4);
      const w = readNf4(memory, ptr, values.length, first * k, values.length);
      const [a, c, bias] = [m * k, m * n, n].map((size) => memory.alloc(size * 4, "operand")) as [Ptr, Ptr, Ptr];
      memory.f32(a, m * k).forEach((_, i, all) => {
        all[i] = random.normal();
      });
      memory.f32(bias, n).forEach((_, i, all) => {
        all[i] = i;
      });
      for (const accumulate of [0, 1]) {
        memory.f32(c, m * n).fill(1);
        kernels.matvec_nf4(c, a, ptr, first * k, m, n, k, n, accumulate, accumulate ? 0 : bias, 0, n);
        const whole = memory.f32(c, m * n).slice();
        const x = memory.f32(a, m * k);
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++) {
            let [sum, size] = [accumulate ? 1 : j, 0];
            for (let p = 0; p < k; p++) {
              sum += x[i * k + p]! * w[j * k + p]!;
              size += Math.abs(x[i * k + p]! * w[j * k + p]!);
            }
            expect(Math.abs(whole[i * n + j]! - sum)).toBeLessThan(40 * 2 ** -23 * (size + j));
          }
        memory.f32(c, m * n).fill(1);
        for (const [start, end] of [
          [5, 9],
          [0, 2],
          [2, 5],
        ] as const)
          kernels.matvec_nf4(c, a, ptr, first * k, m, n, k, n, accumulate, accumulate ? 0 : bias, start, end);
        expect(memory.f32(c, m * n).slice()).toEqual(whole);
      }
    });
  },
);

const random = new Philox(11);
