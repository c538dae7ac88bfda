import { describe, expect, test } from "vitest";
import { Philox } from "../../src/core/philox.ts";
import { allocateFrozen, frozenWriter } from "../../src/tensor/frozen.ts";
import { readNf4 } from "../../src/tensor/nf4.ts";
import { relaxedSupported } from "../../src/wasm/builds.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";
import type { Ptr } from "../../src/wasm/memory.ts";
import { dot, quantise } from "../reference/nf4.ts";

/** A tensor of rows of `cols`, quantised. */
function frozen(engine: Engine, values: Float32Array, cols: number) {
  const tensor = allocateFrozen(engine.memory, "w", [values.length / cols, cols], "nf4", false);
  const writer = frozenWriter(engine, tensor);
  writer.write(values, 0, 0);
  writer.finish();
  return tensor;
}

const random = new Philox(11);

describe.each(relaxedSupported() ? (["baseline", "relaxed"] as const) : (["baseline"] as const))(
  "%s build",
  (build) => {
    test("dequantising, whole or in part, and picking rows give the very values", async () => {
      using engine = await createEngine({ build });
      const { memory, kernels } = engine;
      const [rows, cols] = [11, 50]; // rows begin anywhere in a block
      const values = Float32Array.from({ length: rows * cols }, () => random.normal());
      const { ptr } = frozen(engine, values, cols);
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
      const { ptr } = frozen(engine, values, k);
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
            const { sum, size } = dot(x.subarray(i * k, i * k + k), w.subarray(j * k, j * k + k));
            const before = accumulate ? 1 : j;
            expect(Math.abs(whole[i * n + j]! - before - sum)).toBeLessThan(40 * 2 ** -23 * (size + j));
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

    test("quantize_nf4 picks the nearest level of each block, a short last one included, for every range", async () => {
      using engine = await createEngine({ build });
      const { memory, kernels } = engine;
      for (const n of [1, 2, 63, 64, 65, 200]) {
        const values = Float32Array.from({ length: n }, () => random.normal());
        if (n === 200) values.fill(0, 64, 128);
        const want = quantise(values);
        const blocks = want.absmax.length;
        const operands = [n * 4, blocks * 32, blocks * 4].map((size) => memory.alloc(size, "operand"));
        const [x, codes, absmax] = operands as [Ptr, Ptr, Ptr];
        memory.f32(x, n).set(values);
        for (let block = blocks - 1; block >= 0; block--) kernels.quantize_nf4(codes, absmax, x, n, block, block + 1);
        expect(Array.from(memory.f32(absmax, blocks))).toEqual(want.absmax);
        const packed = memory.u8(codes, blocks * 32);
        const got = Array.from({ length: n }, (_, i) => (i % 2 ? packed[i >> 1]! & 15 : packed[i >> 1]! >> 4));
        expect(got).toEqual(want.codes);
      }
    });
  },
);
