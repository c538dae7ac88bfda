import { describe, expect, test } from "vitest";
import { relaxedSupported } from "../../src/kernels/builds.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";
import type { Ptr } from "../../src/wasm/memory.ts";
import { accumulate, aKm, b2Nk, bNk, fewLoads, matmul } from "../reference/matmul.ts";
import { quantise } from "../reference/nf4.ts";
import { dense, gapsUntouched } from "./linear.ts";
import { type Nf4Product, nf4Product, normals, placed, randomNf4, resultOf } from "./nf4.ts";

type Tile = readonly [rowStart: number, rowEnd: number, colStart: number, colEnd: number];

function runMatmul({ kernels, memory }: Engine, { c, args, sizes }: Nf4Product, range?: Tile): void {
  const workspace = memory.alloc(kernels.matmul_workspace(), "workspace");
  kernels.matmul_nf4(c, ...args, workspace, ...(range ?? [0, sizes.m, 0, sizes.n]));
  memory.free(workspace);
}

/** The number of this dtype, see assembly/linear/matvec-rows.ts. */
const NF4 = 4;

/** With the parts of b cut at `cut`. */
function runRows({ kernels, memory }: Engine, { c, args, sizes }: Nf4Product, cut = 0): void {
  const { m, n, k, lda, ldb, ldc, layout } = sizes;
  const [a, w, first, , , , , , , , bias] = args;
  const depth = 24;
  const parts = Math.ceil(k / depth);
  const workspace = memory.alloc(kernels.matvec_rows_workspace(n), "workspace");
  const sums = memory.alloc(parts * m * n * 4, "sums");
  for (const [start, end] of [[cut, parts], [0, cut]] as const) // biome-ignore format: ranges
    kernels.matvec_rows(sums, a, w, first, NF4, m, n, k, lda, ldb, depth, workspace, start, end);
  kernels.matvec_sum_f32(c, sums, m, n, parts, 1, ldc, layout, bias, 0, n);
  for (const ptr of [workspace, sums]) memory.free(ptr);
}

function expectProduct(engine: Engine, x: Nf4Product, run: () => void) {
  const got = resultOf(engine, x, run);
  const want = matmul(x.operands, x.sizes);
  const values = dense(got, x.sizes);
  for (let e = 0; e < values.length; e++)
    expect(Math.abs(values[e]! - want.values[e]!)).toBeLessThanOrEqual(
      (x.sizes.k + x.sizes.r + 3) * 2 ** -23 * want.magnitudes[e]!,
    );
  expect(gapsUntouched(got, x.sizes)).toBe(true);
}

const shapes = [
  [7, 16, 64, 0],
  [6, 24, 129, 2], // rows begin anywhere in a block, and in a byte
  [13, 11, 50, 3],
  [2, 1, 1, 0],
  [21, 40, 820, 8], // several passes over C
] as const;

describe.each(relaxedSupported() ? (["baseline", "relaxed"] as const) : (["baseline"] as const))(
  "%s build",
  (build) => {
    test.each([1, 16, 17, 50, 63, 64, 65, 128, 200])(
      "embedding_nf4 gives the very values of rows of %i",
      async (cols) => {
        using engine = await createEngine({ build, threads: 1 });
        const { memory, kernels } = engine;
        const { ptr, values } = randomNf4(engine, 11, cols);
        const y = placed(engine, new Float32Array(4 * cols).fill(7));
        const ids = memory.alloc(64, "ids");
        memory.i32(ids, 4).set([10, 0, 7, 1]);
        const rows = [10, 0, 7, 1].flatMap((id) => Array.from(values.slice(id * cols, (id + 1) * cols)));
        kernels.embedding_nf4(y, ptr, ids, cols, 1, 3);
        const inside = (e: number) => e >= cols && e < 3 * cols;
        expect(Array.from(memory.f32(y, 4 * cols))).toEqual(rows.map((v, e) => (inside(e) ? v : 7)));
        kernels.embedding_nf4(y, ptr, ids, cols, 0, 4);
        expect(Array.from(memory.f32(y, 4 * cols))).toEqual(rows);
      },
    );

    test("matmul_nf4 is the product with what the values stand for, for every layout and edge", async () => {
      using engine = await createEngine({ build, threads: 1 });
      for (const layout of [0, bNk, bNk | b2Nk, aKm, accumulate, accumulate | bNk, fewLoads])
        for (const [i, shape] of shapes.entries()) {
          const x = nf4Product(engine, layout, shape, { skipped: i % 3, bias: i % 2 === 0 });
          expectProduct(engine, x, () => runMatmul(engine, x));
        }
    });

    test("matvec_rows is the same for a few rows", async () => {
      using engine = await createEngine({ build, threads: 1 });
      for (const layout of [0, accumulate])
        for (const m of [1, 2, 4, 5])
          for (const [i, [, n, k]] of shapes.entries()) {
            const x = nf4Product(engine, layout, [m, n, k, 0], { skipped: i % 3, bias: i % 2 === 0 });
            expectProduct(engine, x, () => runRows(engine, x));
          }
    });

    test("no bit of a product depends on the range", async () => {
      using engine = await createEngine({ build, threads: 1 });
      for (const layout of [0, bNk, accumulate]) {
        const x = nf4Product(engine, layout, [11, 41, 133, 3], { skipped: 1, bias: true });
        const whole = resultOf(engine, x, () => runMatmul(engine, x));
        const cut = resultOf(engine, x, () => {
          for (const range of [[0, 4, 0, 41], [4, 11, 13, 41], [4, 11, 0, 5], [4, 11, 5, 13]] as const) // biome-ignore format: ranges
            runMatmul(engine, x, range);
        });
        expect(cut).toEqual(whole);
        if (layout & bNk) continue;
        const few = resultOf(engine, x, () => runRows(engine, x));
        expect(resultOf(engine, x, () => runRows(engine, x, 2))).toEqual(few);
      }
    });

    test("quantize_nf4 picks the nearest level of each block, a short last one included, for every range", async () => {
      using engine = await createEngine({ build, threads: 1 });
      const { memory, kernels } = engine;
      for (const n of [1, 2, 63, 64, 65, 200]) {
        const values = normals(n);
        if (n === 200) values.fill(0, 64, 128);
        const want = quantise(values);
        const blocks = want.absmax.length;
        const [codes, absmax] = [blocks * 32, blocks * 4].map((size) => memory.alloc(size, "result")) as [Ptr, Ptr];
        const x = placed(engine, values);
        for (let block = blocks - 1; block >= 0; block--) kernels.quantize_nf4(codes, absmax, x, n, block, block + 1);
        expect(Array.from(memory.f32(absmax, blocks))).toEqual(want.absmax);
        const packed = memory.u8(codes, blocks * 32);
        const got = Array.from({ length: n }, (_, i) => (i % 2 ? packed[i >> 1]! & 15 : packed[i >> 1]! >> 4));
        expect(got).toEqual(want.codes);
      }
    });
  },
);
