import { describe, expect, test } from "vitest";
import { largestSvd, largestSvdOfProduct, svdOfEnergy } from "../../src/core/largest-svd.ts";
import { firstColumns, matrix, product, svd } from "../../src/core/linalg.ts";
import { distance, expectOrthonormal, join, random, withValues } from "./matrices.ts";

describe("largestSvd", () => {
  test("agrees with all singular values of a matrix too large for Jacobi", () => {
    const a = random(150, 210);
    const some = largestSvd(a, 6);
    const all = svd(a);
    expectOrthonormal(some);
    for (const [i, value] of some.s.entries()) expect(Math.abs(value / all.s[i]! - 1)).toBeLessThan(1e-12);
    const rank6 = join({
      u: firstColumns(all.u, 6),
      s: all.s.slice(0, 6),
      v: matrix(6, 210, all.v.data.slice(0, 6 * 210)),
    });
    expect(distance(join(some), rank6)).toBeLessThan(1e-8);
  });
  test("finds repeated singular values, and all of a matrix of low rank", () => {
    const a = withValues(140, 160, [5, 5, 5, 2, 1]);
    const found = largestSvd(a, 5);
    expect([...found.s].map((x) => Math.round(x * 1e9) / 1e9)).toEqual([5, 5, 5, 2, 1]);
    expect(distance(join(found), a)).toBeLessThan(1e-10);
  });
  for (const [rows, columns] of [
    [130, 400],
    [400, 130],
  ] as const) {
    test(`finds all singular values of a matrix [${rows}, ${columns}] too`, () => {
      const all = largestSvd(random(rows, columns), 130);
      expectOrthonormal(all);
      expect(distance(join(all), random(rows, columns))).toBeLessThan(1e-11);
    });
  }
  test("a matrix of zeros has singular values of zero", () => {
    const { s, u, v } = largestSvd(matrix(140, 150), 3);
    expect([...s]).toEqual([0, 0, 0]);
    expectOrthonormal({ u, s, v });
  });
  test("singular values over fourteen orders of magnitude come out to the rounding of the largest", () => {
    const values = Array.from({ length: 140 }, (_, i) => 10 ** (-i / 10));
    const found = largestSvd(withValues(140, 140, values), 140);
    expect(distance(matrix(1, 140, found.s), matrix(1, 140, values))).toBeLessThan(1e-13);
    expectOrthonormal(found);
  });
  test("numbers that are not finite are refused", () => {
    for (const size of [20, 140]) {
      const a = random(size, size);
      a.data[77] = Number.NaN;
      expect(() => largestSvd(a, 2)).toThrow("number that is not finite");
    }
  });
  test("more than there are is refused", () => {
    expect(() => largestSvd(matrix(3, 2), 3)).toThrow("has 2 singular values, 3 were requested");
  });
});

describe("svdOfEnergy", () => {
  const values = Array.from({ length: 140 }, (_, i) => 1 / (1 + i));
  const total = values.reduce((sum, s) => sum + s * s, 0);
  test.each([1, 2, 7, 40])(
    "takes %d singular values for just less than their share, one more for just more",
    (count) => {
      const a = withValues(140, 150, values);
      const share = values.slice(0, count).reduce((sum, s) => sum + s * s, 0) / total;
      expect(svdOfEnergy(a, share - 1e-6).s.length).toBe(count);
      const more = svdOfEnergy(a, share + 1e-6);
      expect(more.s.length).toBe(count + 1);
      expect(distance(matrix(1, count + 1, more.s), matrix(1, count + 1, values.slice(0, count + 1)))).toBeLessThan(
        1e-10,
      );
    },
  );
  test("takes all of a matrix of low rank, and no rounding", () => {
    expect(svdOfEnergy(withValues(200, 150, [3, 2, 1]), 1).s.length).toBe(3);
  });
});

describe("largestSvdOfProduct", () => {
  for (const inner of [3, 12]) {
    test(`is the decomposition of the product of [10, ${inner}] and [${inner}, 11]`, () => {
      const [l, r] = [random(10, inner, 1), random(inner, 11, 2)];
      const found = largestSvdOfProduct(l, r, 3);
      const whole = largestSvd(product(l, r), 3);
      expectOrthonormal(found);
      expect(distance(join(found), join(whole))).toBeLessThan(1e-12);
    });
  }
});
