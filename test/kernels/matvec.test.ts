import { expect, test } from "vitest";
import { accumulate, b2Nk, bNk, matmul } from "../reference/matmul.ts";
import { around4, Bed, builds } from "./bed.ts";
import { type Dtype, dense, dtypes, gapsUntouched, type Product, product } from "./linear.ts";

function run(bed: Bed, dtype: Dtype, { sizes: s, pointers: p }: Product, colStart = 0, colEnd = s.n): void {
  const kernel = bed.kernels[`matvec_${dtype}`];
  const low = [p.a2, p.b2, s.r, s.lda2, s.ldb2, s.scale] as const;
  kernel(p.c, p.a, p.b, s.m, s.n, s.k, s.lda, s.ldb, s.ldc, s.layout, p.bias, ...low, colStart, colEnd);
}

const layouts = [bNk | b2Nk].flatMap((layout) => [layout, layout | accumulate]);

for (const build of builds) {
  test(`matvec (${build}) matches f64 in every layout and dtype, for every tail`, () => {
    for (const layout of layouts)
      for (const dtype of dtypes)
        for (const n of around4) {
          const bed = new Bed(build);
          for (const k of around4) {
            const withBias = !(layout & accumulate) && n % 2 === 1;
            const x = product(bed, dtype, layout, [1 + (n % 4), n, k, (n + k) % 4], withBias);
            run(bed, dtype, x);
            bed.check(dense(x.c, x.sizes), matmul(x.operands, x.sizes), k + x.sizes.r + 4);
            expect(gapsUntouched(x.c, x.sizes)).toBe(true);
          }
        }
  });

  test(`matvec (${build}) leaves columns outside its range alone, and ranges do not change a bit`, () => {
    for (const layout of layouts)
      for (const dtype of dtypes) {
        const whole = new Bed(build);
        const cut = new Bed(build);
        const [x, y] = [whole, cut].map((bed) => product(bed, dtype, layout, [3, 21, 67, 5], false)) as [
          Product,
          Product,
        ];
        run(whole, dtype, x);
        const done = dense(x.c, x.sizes);
        run(cut, dtype, y, 6, 13);
        const before = dense(y.operands.c, y.sizes);
        expect(dense(y.c, y.sizes)).toEqual(done.map((v, i) => (i % 21 >= 6 && i % 21 < 13 ? v : before[i]!)));
        run(cut, dtype, y, 0, 6);
        run(cut, dtype, y, 13, 21);
        expect(dense(y.c, y.sizes)).toEqual(done);
        cut.checkGuards();
      }
  });
}
