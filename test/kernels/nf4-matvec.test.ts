import { expect, test } from "vitest";
import { relaxedSupported } from "../../src/kernels/builds.ts";
import { readNf4 } from "../../src/tensor/nf4.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";
import type { Ptr } from "../../src/wasm/memory.ts";
import { accumulate, bNk, matmul } from "../reference/matmul.ts";
import { dense, gapsUntouched } from "./linear.ts";
import { type Nf4Product, nf4Product, resultOf } from "./nf4.ts";

/** The limit to quantize to, see assembly/linear/nf4-matvec.ts. */
const LIMIT = 16383;

/** Quantizes a and multiplies. */
function run({ kernels, memory }: Engine, x: Nf4Product, range: readonly [number, number] = [0, x.sizes.n]): void {
  const { m, n, k, lda, ldc, layout } = x.sizes;
  const [a, w, , , , , , , , , bias] = x.args;
  const q = memory.alloc(m * k * 2, "q");
  const scales = memory.alloc(m * 4, "scales");
  kernels.quantize_rows_i16(q, scales, a, 0, k, lda, k, LIMIT, 0, m);
  kernels.matvec_nf4_i16(x.c, q, scales, w, x.first, m, n, k, k, ldc, layout, bias, ...range);
  for (const ptr of [q, scales]) memory.free(ptr);
}

const builds = relaxedSupported() ? (["baseline", "relaxed"] as const) : (["baseline"] as const);

for (const build of builds) {
  test(`matvec_nf4_i16 (${build}) errs by the rounding of activations and levels, from any row on`, async () => {
    using engine = await createEngine({ build, threads: 1 });
    for (const layout of [bNk, bNk | accumulate])
      for (const m of [1, 3, 5])
        for (const [i, k] of [32, 64, 96, 288, 1024].entries()) {
          const n = 5 + i;
          const x = nf4Product(engine, layout, [m, n, k, 0], { skipped: i, bias: i % 2 === 0 });
          const got = resultOf(engine, x, () => run(engine, x));
          expect(gapsUntouched(got, x.sizes)).toBe(true);
          const values = dense(got, x.sizes);
          const want = matmul(x.operands, x.sizes);
          for (let e = 0; e < values.length; e++) {
            const [row, column] = [Math.floor(e / n), e % n];
            const activations = Array.from({ length: k }, (_, p) => Math.abs(x.operands.a[row * x.sizes.lda + p]!));
            const most = Math.max(...activations);
            let allowed = (k + 8) * 2 ** -23 * want.magnitudes[e]!;
            for (let p = 0; p < k; p++) {
              const w = Math.abs(x.operands.b[column * k + p]!);
              allowed += (0.5001 * most * w) / LIMIT; // half a step of the activation
              allowed += activations[p]! * 6 * 2 ** -15; // half a step of the level, times a block's largest, which is below 6
            }
            expect(Math.abs(values[e]! - want.values[e]!)).toBeLessThan(allowed);
          }
        }
  });

  test(`matvec_nf4_i16 (${build}) cannot overflow`, async () => {
    using engine = await createEngine({ build, threads: 1 });
    const k = 128;
    for (const sign of [1, -1]) {
      const x = nf4Product(engine, bNk, [1, 2, k, 0]);
      const [a, w] = x.args as readonly number[] as [Ptr, Ptr, ...number[]];
      engine.memory.f32(a, k).fill(3);
      const [codes] = engine.memory.i32(w, 1) as unknown as [Ptr];
      engine.memory.u8(codes, k).fill(sign > 0 ? 0xff : 0); // the levels 1 and -1
      const values = readNf4(engine.memory, w, 2 * k, 0, 2 * k);
      const got = resultOf(engine, x, () => run(engine, x));
      for (let j = 0; j < 2; j++) {
        const sum = values.slice(j * k, (j + 1) * k).reduce((before, v) => before + v, 0);
        expect(got[j]! / (3 * sum)).toBeCloseTo(1, 6);
      }
      expect(Math.sign(got[0]!)).toBe(sign);
    }
  });

  test(`matvec_nf4_i16 (${build}) leaves columns outside its range alone, and ranges do not change a bit`, async () => {
    using engine = await createEngine({ build, threads: 1 });
    const x = nf4Product(engine, bNk, [3, 23, 160, 0], { bias: true });
    const whole = resultOf(engine, x, () => run(engine, x));
    const some = resultOf(engine, x, () => run(engine, x, [6, 17]));
    const outside = (e: number) => e % x.sizes.ldc < 6 || e % x.sizes.ldc >= 17;
    expect(some).toEqual(whole.map((v, e) => (outside(e) ? x.before[e]! : v)));
    const ranges = [[17, 23], [0, 6], [6, 17]] as const; // biome-ignore format: ranges
    const parts = resultOf(engine, x, () => {
      for (const range of ranges) run(engine, x, range);
    });
    expect(parts).toEqual(whole);
  });
}
