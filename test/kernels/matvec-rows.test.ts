import { expect, test } from "vitest";
import { accumulate, matmul } from "../reference/matmul.ts";
import { Bed, builds } from "./bed.ts";
import { type Dtype, dense, dtypes, gapsUntouched, type Product, product } from "./linear.ts";

/** The kernel's numbers of dtypes. */
const numbers = { f32: 0, bf16: 1, f16: 2 };

/** The sums of parts of `depth` rows, in pieces of the range, and the result that they add up to. */
function run(bed: Bed, dtype: Dtype, { sizes: s, pointers: p }: Product, depth: number, cuts = [0, 1]): Float32Array {
  const parts = Math.ceil(s.k / depth);
  const sums = bed.empty(parts * s.m * s.n);
  const at = sums.byteOffset;
  const workspace = bed.scratch(bed.kernels.matvec_rows_workspace(s.n));
  const sizes = [s.m, s.n, s.k, s.lda, s.ldb, depth] as const;
  const pieces = (length: number) => cuts.slice(1).map((cut, i) => [cuts[i]! * length, cut * length].map(Math.round));
  for (const [start, end] of pieces(parts))
    bed.kernels.matvec_rows(at, p.a, p.b, 0, numbers[dtype], ...sizes, workspace, start!, end!);
  for (const [start, end] of pieces(s.n))
    bed.kernels.matvec_sum_f32(p.c, at, s.m, s.n, parts, 1, s.ldc, s.layout, p.bias, start!, end!);
  return sums;
}

for (const build of builds) {
  test(`matvec-rows (${build}) matches f64 in every dtype, for every tail`, () => {
    for (const layout of [0, accumulate])
      for (const dtype of dtypes)
        for (const n of [1, 3, 15, 16, 33, 300]) {
          const bed = new Bed(build);
          for (const [k, depth] of [
            [1, 64],
            [7, 4],
            [64, 64],
            [67, 16],
          ] as const) {
            const x = product(bed, dtype, layout, [1 + (n % 4), n, k, 0], layout === 0 && n % 2 === 1);
            run(bed, dtype, x, depth);
            bed.check(dense(x.c, x.sizes), matmul(x.operands, x.sizes), k + 8);
            expect(gapsUntouched(x.c, x.sizes)).toBe(true);
          }
        }
  });

  test(`matvec-rows (${build}) computes the same bits however its ranges are cut`, () => {
    for (const dtype of dtypes) {
      const [whole, cut] = [new Bed(build), new Bed(build)];
      const [x, y] = [whole, cut].map((bed) => product(bed, dtype, 0, [3, 53, 67, 0], true)) as [Product, Product];
      const sums = run(whole, dtype, x, 12);
      expect(run(cut, dtype, y, 12, [0, 0.3, 0.4, 1])).toEqual(sums);
      expect(dense(y.c, y.sizes)).toEqual(dense(x.c, x.sizes));
      cut.checkGuards();
    }
  });

  test(`matvec-rows (${build}) gives each part the rows that are its own`, () => {
    for (const dtype of dtypes) {
      const bed = new Bed(build);
      const x = product(bed, dtype, 0, [2, 19, 10, 0], false);
      const sums = run(bed, dtype, x, 4);
      for (let part = 0; part < 3; part++) {
        const rows = Math.min(4, 10 - 4 * part);
        const own = {
          ...x.operands,
          a: Array.from(x.operands.a).slice(4 * part),
          b: Array.from(x.operands.b).slice(4 * part * x.sizes.ldb),
        };
        bed.check(sums.subarray(part * 38, (part + 1) * 38), matmul(own, { ...x.sizes, k: rows }), 12);
      }
    }
  });
}
