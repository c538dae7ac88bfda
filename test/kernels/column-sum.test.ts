import { expect, test } from "vitest";
import { columnSum } from "../reference/column-sum.ts";
import { around4, Bed, builds } from "./bed.ts";

for (const build of builds) {
  test(`column_sum_f32 (${build}) matches f64 for every tail, and ranges do not change a bit`, () => {
    for (const rows of around4)
      for (const cols of around4) {
        const bed = new Bed(build);
        const ldx = cols + 3;
        const x = bed.random(rows * ldx);
        const out = bed.random(cols);
        const cut = bed.from(out);
        const want = columnSum(out, x, rows, ldx);
        bed.kernels.column_sum_f32(out.byteOffset, x.byteOffset, rows, cols, ldx, 0, cols);
        bed.check(out, want, rows + 1);
        const middle = Math.ceil(cols / 3);
        bed.kernels.column_sum_f32(cut.byteOffset, x.byteOffset, rows, cols, ldx, middle, cols);
        bed.kernels.column_sum_f32(cut.byteOffset, x.byteOffset, rows, cols, ldx, 0, middle);
        expect(cut).toEqual(out);
        bed.checkGuards();
      }
  });

  test(`simd_peak (${build}) advances every chain`, () => {
    const bed = new Bed(build);
    const out = bed.zeros(3);
    bed.kernels.simd_peak(out.byteOffset, 0, 0.5, 0, 2);
    expect([...out]).toEqual([264, 264, 0]); // 0 + 1 + … + 11 in each of four lanes
    bed.kernels.simd_peak(out.byteOffset, 1000, 0.5, 1, 3);
    expect([...out]).toEqual([264, 96, 96]); // c = c/2 + 1 settles at 2
    bed.checkGuards();
  });

  test(`simd_peak_pairs (${build}) advances every chain of both vectors, in the wide build`, () => {
    const bed = new Bed(build);
    const out = bed.zeros(3 * 96);
    bed.kernels.simd_peak_pairs(out.byteOffset, 0, 0.5, 0, 2);
    const starts = Array.from({ length: 96 }, (_, i) => Math.floor(i / 8));
    if (build !== "wide") {
      expect([...out]).toEqual(Array<number>(3 * 96).fill(0));
      return;
    }
    expect([...out]).toEqual([...starts, ...starts, ...Array<number>(96).fill(0)]);
    bed.kernels.simd_peak_pairs(out.byteOffset, 1000, 0.5, 1, 3);
    expect([...out]).toEqual([...starts, ...Array<number>(192).fill(2)]);
    bed.checkGuards();
  });
}
