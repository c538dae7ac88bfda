import { expect, test } from "vitest";
import {
  accumulate,
  aKm,
  b2Nk,
  bNk,
  fewLoads,
  fromBf16,
  fromF16,
  matmul,
  type Operands,
  type Sizes,
} from "../reference/matmul.ts";
import { around4, Bed, builds } from "./bed.ts";
import { type Dtype, dense, dtypes, gapsUntouched, type Product, product } from "./linear.ts";
import { checkRanges } from "./ranges.ts";

type Range = [rowStart: number, rowEnd: number, colStart: number, colEnd: number];
type Shape = readonly [m: number, n: number, k: number, r: number];

function run(bed: Bed, dtype: Dtype, { sizes: s, pointers: p }: Product, range: Range = [0, s.m, 0, s.n]): void {
  const workspace = bed.scratch(bed.kernels.matmul_workspace());
  const kernel = bed.kernels[`matmul_${dtype}`];
  const low = [p.a2, p.b2, s.r, s.lda2, s.ldb2, s.scale] as const;
  kernel(p.c, p.a, p.b, s.m, s.n, s.k, s.lda, s.ldb, s.ldc, s.layout, p.bias, ...low, workspace, ...range);
}

/** One product against f64. */
function agrees(bed: Bed, dtype: Dtype, layout: number, shape: Shape): void {
  const x = product(bed, dtype, layout, shape, !(layout & accumulate) && shape[1] % 2 === 1);
  run(bed, dtype, x);
  bed.check(dense(x.c, x.sizes), matmul(x.operands, x.sizes), x.sizes.k + x.sizes.r + 3);
  expect(gapsUntouched(x.c, x.sizes)).toBe(true);
}

for (const build of builds) {
  test(`matmul_f32 (${build}) matches f64 for every tail, forward and backward`, () => {
    for (const m of around4)
      for (const n of around4) {
        const bed = new Bed(build);
        for (const k of around4)
          for (const layout of [bNk | b2Nk, 0]) agrees(bed, "f32", layout, [m, n, k, (m * n) % 3]);
      }
  });

  test(`matmul (${build}) matches f64 in every layout and dtype, with and without a low rank`, () => {
    const shapes = ["6 8 4 8", "13 21 11 1", "10 16 67 0", "1 7 3 9"].map(
      (s) => s.split(" ").map(Number) as unknown as Shape,
    );
    for (let layout = 0; layout < 16; layout++) {
      const bed = new Bed(build);
      for (const dtype of dtypes) for (const shape of shapes) agrees(bed, dtype, layout, shape);
    }
  });

  test(`matmul (${build}) matches f64 beyond one block of rows, terms and ranks`, () => {
    const shapes = ["731 19 9 2", "7 9 1205 5", "3 4 398 411"].map((s) => s.split(" ").map(Number) as unknown as Shape);
    for (const layout of [bNk | b2Nk, 0, aKm | accumulate])
      for (const shape of shapes) agrees(new Bed(build), "f32", layout, shape);
  });

  test(`matmul (${build}) leaves rows and columns outside its range alone, and ranges do not change a bit`, () => {
    for (const layout of [bNk | b2Nk, 0, aKm, accumulate]) {
      const whole = new Bed(build);
      const cut = new Bed(build);
      const [x, y] = [whole, cut].map((bed) => product(bed, "f32", layout, [17, 29, 405, 3], false)) as [
        Product,
        Product,
      ];
      run(whole, "f32", x);
      run(cut, "f32", y, [2, 9, 5, 18]);
      const want = dense(y.operands.c, y.sizes);
      const done = dense(x.c, x.sizes);
      for (let i = 2; i < 9; i++) for (let j = 5; j < 18; j++) want[i * 29 + j] = done[i * 29 + j]!;
      expect(dense(y.c, y.sizes)).toEqual(want);
      for (const range of [
        [0, 2, 0, 29],
        [9, 17, 0, 29],
        [2, 9, 0, 5],
        [2, 9, 18, 29],
      ] as Range[])
        run(cut, "f32", y, range);
      expect(dense(y.c, y.sizes)).toEqual(done);
      cut.checkGuards();
    }
  });

  test(`fewer, wider loads (${build}) change no bit`, () => {
    for (const layout of [bNk | b2Nk, 0, aKm, accumulate])
      for (const shape of [
        [17, 29, 405, 3],
        [5, 8, 4, 0],
        [64, 40, 33, 8],
        [1, 1, 1, 1],
      ] as Shape[]) {
        const [plain, wide] = [new Bed(build), new Bed(build)];
        const [x, y] = [product(plain, "f32", layout, shape, false), product(wide, "f32", layout, shape, false)];
        run(plain, "f32", x);
        y.sizes.layout |= fewLoads;
        run(wide, "f32", y);
        expect(dense(y.c, y.sizes)).toEqual(dense(x.c, x.sizes));
        wide.checkGuards();
      }
  });

  test(`a low rank whose B2 is zero (${build}) does not change a bit of the product`, () => {
    const plain = new Bed(build);
    const adapted = new Bed(build);
    const x = product(plain, "f32", bNk | b2Nk, [9, 11, 405, 8], true);
    const y = product(adapted, "f32", bNk | b2Nk, [9, 11, 405, 8], true);
    new Float32Array(adapted.memory.buffer, y.pointers.b2, 11 * y.sizes.ldb2).fill(0);
    x.sizes.r = 0;
    run(plain, "f32", x);
    run(adapted, "f32", y);
    expect(dense(y.c, y.sizes)).toEqual(dense(x.c, x.sizes));
  });

  test(`matmul_f16 and matmul_bf16 (${build}) read all 65536 bit patterns exactly, in both orders`, () => {
    for (const [dtype, decode] of [
      ["f16", fromF16],
      ["bf16", fromBf16],
    ] as const)
      for (const layout of [0, bNk]) {
        const bed = new Bed(build);
        const b = bed.halves(Array.from({ length: 65536 }, (_, i) => i));
        const one = bed.from([1]);
        const c = bed.empty(65536);
        const [n, ldb] = [65536, layout ? 1 : 65536];
        const workspace = bed.scratch(bed.kernels.matmul_workspace());
        const kernel = bed.kernels[`matmul_${dtype}`];
        kernel(
          c.byteOffset,
          one.byteOffset,
          b.byteOffset,
          1,
          n,
          1,
          1,
          ldb,
          n,
          layout,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          workspace,
          0,
          1,
          0,
          n,
        );
        expect(Array.from(c)).toEqual(Array.from(b, (bits) => decode(bits) + 0));
      }
  });
}

test("dx = dy·W + s·u·A and dW = dyᵀ·x are the derivatives of the forward product", () => {
  const bed = new Bed("baseline");
  const [m, n, k, r] = [3, 5, 4, 2];
  const f64 = (length: number) => Float64Array.from(bed.random(length));
  const x = f64(m * k);
  const w = f64(n * k);
  const a = f64(r * k);
  const b = f64(n * r);
  const dy = f64(m * n);
  const scale = 0.75;
  const sizes: Sizes = { m, n, k, r, lda: k, ldb: k, ldc: n, lda2: r, ldb2: r, layout: bNk | b2Nk, scale };
  const none = { c: [], bias: null, a2: [], b2: [] };
  const loss = () => {
    const t = matmul({ ...none, a: x, b: a }, { ...sizes, n: r, ldc: r, r: 0 }).values;
    const y = matmul({ ...none, a: x, b: w, a2: t, b2: b }, sizes).values;
    return Array.from(y).reduce((sum, v, i) => sum + v * dy[i]!, 0);
  };
  const u = matmul({ ...none, a: dy, b }, { ...sizes, n: r, k: n, r: 0, lda: n, ldb: r, ldc: r, layout: 0 }).values;
  const backward: Operands = { ...none, a: dy, b: w, a2: u, b2: a };
  const dx = matmul(backward, { ...sizes, n: k, k: n, lda: n, ldb: k, ldc: k, ldb2: k, layout: 0 }).values;
  const dw = matmul({ ...none, a: dy, b: x }, { ...sizes, m: n, n: k, k: m, r: 0, lda: n, ldb: k, layout: aKm }).values;
  expectGradient(x, dx, loss);
  expectGradient(w, dw, loss);
});

/** Central differences in f64 with steps of 2⁻¹⁰; the loss is linear in each number, so only rounding is left. */
function expectGradient(at: Float64Array, gradient: ArrayLike<number>, loss: () => number): void {
  at.forEach((value, i) => {
    at[i] = value + 2 ** -10;
    const above = loss();
    at[i] = value - 2 ** -10;
    const slope = (above - loss()) * 2 ** 9;
    at[i] = value;
    expect(Math.abs(slope - gradient[i]!)).toBeLessThan(1e-11);
  });
}

/** `count` small products whose matrices lie `gap` elements apart from one another, each a Product of its own to f64. */
function batch(build: string, layout: number, [m, n, k]: readonly [number, number, number], count: number) {
  const bed = new Bed(build, m + n + k);
  const [lda, ldb, ldc] = [(layout & aKm ? m : k) + 1, (layout & bNk ? k : n) + 2, n + 3];
  const [strideA, strideB, strideC] = [lda * (layout & aKm ? k : m) + 1, ldb * (layout & bNk ? n : k), ldc * m + 2];
  const [a, b, c] = [bed.random(count * strideA), bed.random(count * strideB), bed.random(count * strideC)];
  const before = Float32Array.from(c);
  const workspace = bed.scratch(bed.kernels.matmul_workspace());
  const run = (start: number, end: number) => {
    const places = [c.byteOffset, a.byteOffset, b.byteOffset, strideC, strideA, strideB] as const;
    bed.kernels.batched_matmul_f32(...places, m, n, k, lda, ldb, ldc, layout, workspace, start, end);
  };
  const sizes: Sizes = { m, n, k, r: 0, lda, ldb, ldc, lda2: 0, ldb2: 0, layout, scale: 1 };
  const want = (item: number) =>
    matmul(
      {
        ...{ a: a.subarray(item * strideA), b: b.subarray(item * strideB), c: before.subarray(item * strideC) },
        ...{ bias: null, a2: [], b2: [] },
      },
      sizes,
    );
  return { bed, c, strideC, sizes, run, want };
}

for (const build of builds) {
  test(`batched_matmul_f32 (${build}) matches f64 for every item, layout and size of block`, () => {
    for (const layout of [0, bNk, aKm, aKm | bNk].flatMap((bits) => [bits, bits | accumulate])) {
      for (const shape of [
        [8, 8, 8],
        [33, 5, 7],
        [3, 16, 40],
        [1, 1, 1],
      ] as const) {
        const { bed, c, strideC, sizes, run, want } = batch(build, layout, shape, 3);
        run(0, 3);
        for (let item = 0; item < 3; item++) {
          bed.check(dense(c.subarray(item * strideC), sizes), want(item), shape[2] + 2);
        }
      }
    }
  });

  test(`batched_matmul_f32 (${build}) gives the same bits in one call and in ranges of items`, () => {
    checkRanges(7, () => {
      const { c, strideC, run } = batch(build, bNk, [9, 6, 5], 7);
      return { run, outputs: [[c, (e) => Math.floor(e / strideC)]] };
    });
  });
}
