import { expect, test } from "vitest";
import { accumulate, bNk } from "../reference/matmul.ts";
import { around4, Bed } from "./bed.ts";
import { type Int8Shape, int8Product, productBuilds, type Range, roundings, runMatmul, want } from "./int8.ts";
import { dense, gapsUntouched } from "./linear.ts";

const layouts = [0, bNk, accumulate, bNk | accumulate];

/** One product against f64. */
function agrees(bed: Bed, shape: Int8Shape): void {
  const x = int8Product(bed, shape);
  runMatmul(bed, x);
  bed.check(dense(x.c, x.sizes), want(x), roundings(shape.k));
  expect(gapsUntouched(x.c, x.sizes)).toBe(true);
}

for (const build of productBuilds) {
  test(`matmul_int8 (${build}) sums integers exactly, for every tail and layout`, () => {
    for (const layout of layouts)
      for (const m of around4)
        for (const n of around4) {
          const bed = new Bed(build);
          for (const k of [1, 2, 7, 8, 9, 31, 65]) {
            const x = int8Product(bed, { layout, m, n, k, bias: n % 2 === 1, scalesB: m % 2 === 1, most: 127 });
            runMatmul(bed, x);
            expect(dense(x.c, x.sizes)).toEqual(want(x).values);
            expect(gapsUntouched(x.c, x.sizes)).toBe(true);
          }
          bed.checkGuards();
        }
  });

  test(`matmul_int8 (${build}) matches f64 with numbers, scales and biases of every size`, () => {
    for (const layout of layouts)
      for (const [m, n, k] of ["5 8 16", "13 21 11", "10 16 67", "1 7 3", "31 9 1027"].map((s) =>
        s.split(" ").map(Number),
      ))
        for (const bias of [false, true])
          for (const scalesB of [false, true]) agrees(new Bed(build), { layout, m: m!, n: n!, k: k!, bias, scalesB });
  });

  test(`matmul_int8 (${build}) matches f64 beyond one block of rows and one chunk of terms`, () => {
    for (const layout of layouts)
      for (const [m, n, k] of [[1057, 19, 9], [7, 9, 1205], [3, 4, 2305]]) // biome-ignore format: shapes
        agrees(new Bed(build), { layout, m: m!, n: n!, k: k! });
  });

  test(`matmul_int8 (${build}) cannot overflow: the largest operands, all of one sign, give the exact sum`, () => {
    const n = 9;
    for (const k of [1, 8, 512, 1023, 1024, 1025, 3072, 50257])
      for (const [left, right] of [[16384, 127], [-16384, 127], [16384, -127], [-16384, -127]] as const) // biome-ignore format: signs
        for (const layout of [0, bNk]) {
          const bed = new Bed(build);
          const x = int8Product(bed, { layout, m: 6, n, k, scalesB: false, most: 1 });
          new Int16Array(bed.memory.buffer, x.pointers.q, 6 * x.sizes.ldq).forEach((_, e, q) => {
            q[e] = e % x.sizes.ldq < k ? left : 0;
          });
          new Int8Array(bed.memory.buffer, x.pointers.b, layout ? n * x.sizes.ldb : k * x.sizes.ldb).fill(right);
          runMatmul(bed, x);
          const exact = left * right * k;
          const result = dense(x.c, x.sizes);
          expect(new Set(result).size).toBe(1);
          // One conversion a chunk, and one addition between chunks.
          expect(Math.abs(result[0]! / exact - 1)).toBeLessThanOrEqual(Math.ceil(k / 1024) * 2 ** -23);
        }
  });

  test(`matmul_int8 (${build}) multiplies every q by every b exactly, in each place of a sum`, () => {
    const [m, n, k] = [32769, 255, 24];
    const bed = new Bed(build);
    const q = bed.int16(new Int16Array(m * k));
    for (let i = 0; i < m; i++) q[i * k + (i % k)] = i - 16384;
    const b = bed.int8(Int8Array.from({ length: n * k }, (_, e) => Math.floor(e / k) - 127));
    const c = bed.empty(m * n);
    const ones = bed.zeros(m).fill(1).byteOffset;
    const workspace = bed.scratch(bed.kernels.matmul_int8_workspace());
    const at = [c.byteOffset, q.byteOffset, ones, b.byteOffset, 0] as const;
    bed.kernels.matmul_int8(...at, m, n, k, k, k, n, bNk, 0, workspace, 0, m, 0, n);
    let wrong = 0;
    for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) if (c[i * n + j] !== (i - 16384) * (j - 127)) wrong += 1;
    expect(wrong).toBe(0);
    bed.checkGuards();
  });

  test(`matmul_int8 (${build}) leaves rows and columns outside its range alone, and ranges do not change a bit`, () => {
    for (const layout of layouts) {
      const shape = { layout, m: 17, n: 29, k: 1205, bias: true };
      const [whole, cut] = [new Bed(build), new Bed(build)];
      const [x, y] = [int8Product(whole, shape), int8Product(cut, shape)];
      runMatmul(whole, x);
      runMatmul(cut, y, [2, 9, 5, 18]);
      const done = dense(x.c, x.sizes);
      const expected = dense(y.operands.c, y.sizes);
      for (let i = 2; i < 9; i++) for (let j = 5; j < 18; j++) expected[i * 29 + j] = done[i * 29 + j]!;
      expect(dense(y.c, y.sizes)).toEqual(expected);
      const others: Range[] = [
        [0, 2, 0, 29],
        [9, 17, 0, 29],
        [2, 9, 0, 5],
        [2, 9, 18, 29],
      ];
      for (const range of others) runMatmul(cut, y, range);
      expect(dense(y.c, y.sizes)).toEqual(done);
      cut.checkGuards();
    }
  });

  test(`matmul_int8 (${build}) spoils exactly the rows whose scale is NaN`, () => {
    const bed = new Bed(build);
    const x = int8Product(bed, { layout: bNk, m: 7, n: 10, k: 12 });
    new Float32Array(bed.memory.buffer, x.pointers.scalesA, 7)[3] = Number.NaN;
    runMatmul(bed, x);
    const spoilt = dense(x.c, x.sizes).map(Number.isNaN);
    expect(spoilt).toEqual(spoilt.map((_, e) => Math.floor(e / 10) === 3));
  });
}
