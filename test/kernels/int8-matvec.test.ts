import { expect, test } from "vitest";
import { accumulate, bNk } from "../reference/matmul.ts";
import { around4, Bed, builds } from "./bed.ts";
import { type Int8Product, int8Product, roundings, runDots, runMatmul, want } from "./int8.ts";
import { dense, gapsUntouched } from "./linear.ts";

/** By the rows of B, in two pieces of their range, where it is stored [k, n]. */
function runMatvec(bed: Bed, x: Int8Product, colStart = 0, colEnd = x.sizes.n): void {
  const { sizes: s, pointers: p } = x;
  if (s.layout & bNk) {
    runDots(bed, x, colStart, colEnd);
    return;
  }
  const parts = bed.kernels.matvec_int8_parts(s.k);
  const sums = bed.scratch(parts * s.m * s.n * 4);
  for (const [start, end] of [[0, 3], [3, parts]] as const) // biome-ignore format: ranges
    bed.kernels.matvec_int8_rows(sums, p.q, p.b, s.m, s.n, s.k, s.ldq, s.ldb, start, end);
  const sizes = [s.m, s.n, s.k, s.ldc, s.layout, p.bias] as const;
  bed.kernels.matvec_int8_sum(p.c, sums, p.scalesA, p.scalesB, ...sizes, colStart, colEnd);
}

const layouts = [0, bNk, accumulate, bNk | accumulate];

for (const build of builds) {
  test(`matvec_int8 (${build}) sums integers exactly, for every tail and layout`, () => {
    for (const layout of layouts)
      for (const n of [...around4, 15, 16, 17]) {
        const bed = new Bed(build);
        for (const k of [...around4, 7, 9, 15, 16, 17, 31, 33])
          for (const m of [1, 2, 3, 4, 6]) {
            const x = int8Product(bed, { layout, m, n, k, bias: n % 2 === 1, scalesB: m % 2 === 1, most: 127 });
            runMatvec(bed, x);
            expect(dense(x.c, x.sizes)).toEqual(want(x).values);
            expect(gapsUntouched(x.c, x.sizes)).toBe(true);
          }
        bed.checkGuards();
      }
  });

  test(`matvec_int8 (${build}) matches f64, and matmul_int8 bit for bit`, () => {
    for (const layout of layouts)
      for (const m of [1, 2, 3, 4, 5])
        for (const [n, k] of [[17, 1027], [2061, 9], [9, 1205], [33, 2305]]) // biome-ignore format: shapes
          for (const scalesB of [false, true]) {
            const [one, other] = [new Bed(build), new Bed(build)];
            const shape = { layout, m, n: n!, k: k!, scalesB, bias: m % 2 === 1 };
            const [x, y] = [int8Product(one, shape), int8Product(other, shape)];
            runMatvec(one, x);
            runMatmul(other, y);
            one.check(dense(x.c, x.sizes), want(x), roundings(k!));
            expect(dense(x.c, x.sizes)).toEqual(dense(y.c, y.sizes));
          }
  });

  test(`matvec_int8 (${build}) cannot overflow`, () => {
    for (const k of [768, 1024, 50257])
      for (const layout of [0, bNk])
        for (const sign of [-1, 1]) {
          const bed = new Bed(build);
          const x = int8Product(bed, { layout, m: 2, n: 3, k, scalesB: false, most: 1 });
          new Int16Array(bed.memory.buffer, x.pointers.q, 2 * x.sizes.ldq).forEach((_, e, q) => {
            q[e] = e % x.sizes.ldq < k ? sign * 16384 : 0;
          });
          new Int8Array(bed.memory.buffer, x.pointers.b, layout ? 3 * x.sizes.ldb : k * x.sizes.ldb).fill(127);
          runMatvec(bed, x);
          for (const value of dense(x.c, x.sizes))
            expect(Math.abs(value / (sign * 16384 * 127 * k) - 1)).toBeLessThanOrEqual(Math.ceil(k / 1024) * 2 ** -23);
        }
  });

  test(`matvec_int8 (${build}) leaves columns outside its range alone, and ranges do not change a bit`, () => {
    for (const layout of layouts) {
      const shape = { layout, m: 3, n: 41, k: 1205, bias: true };
      const [whole, cut] = [new Bed(build), new Bed(build)];
      const [x, y] = [int8Product(whole, shape), int8Product(cut, shape)];
      runMatvec(whole, x);
      const done = dense(x.c, x.sizes);
      runMatvec(cut, y, 6, 23);
      const before = dense(y.operands.c, y.sizes);
      expect(dense(y.c, y.sizes)).toEqual(done.map((v, i) => (i % 41 >= 6 && i % 41 < 23 ? v : before[i]!)));
      runMatvec(cut, y, 0, 6);
      runMatvec(cut, y, 23, 41);
      expect(dense(y.c, y.sizes)).toEqual(done);
      cut.checkGuards();
    }
  });
}
