import { expect, test } from "vitest";
import { sumSquares } from "../reference/norm.ts";
import { around4, Bed, builds } from "./bed.ts";

for (const build of builds) {
  test(`sum_squares_f32 (${build}) matches f64 to f64 accuracy for every tail and part`, () => {
    for (const n of around4) {
      const bed = new Bed(build, n);
      const x = bed.random(n, 100);
      for (const start of [0, 1, n >> 1]) {
        const got = bed.kernels.sum_squares_f32(x.byteOffset, start, n);
        bed.check([got], sumSquares(x, start, n), n * 2 ** -29);
      }
    }
  });

  test(`sum_squares_f32 (${build}) neither overflows nor underflows, and says NaN and infinity`, () => {
    const bed = new Bed(build);
    const sum = (values: number[]) => bed.kernels.sum_squares_f32(bed.from(values).byteOffset, 0, values.length);
    expect(sum([3e38, 3e38, 0, 0, 3e38]) / (3 * 9e76)).toBeCloseTo(1, 6);
    expect(sum([1e-30, 0, 0, 0, 0]) / 1e-60).toBeCloseTo(1, 6);
    expect(sum([1, 2, 3, 4, Number.NaN])).toBeNaN();
    expect(sum([1, Number.NEGATIVE_INFINITY, 3, 4, 5])).toBe(Number.POSITIVE_INFINITY);
    expect(sum([])).toBe(0);
  });
}
