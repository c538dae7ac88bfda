import { describe, expect, test } from "vitest";
import { firstColumns, matrix, product, qr, randomSvd, svd, transpose } from "../../src/core/linalg.ts";
import { distance, expectOrthonormal, identity, join, random, withValues } from "./matrices.ts";

describe("qr", () => {
  for (const [rows, columns] of [
    [7, 4],
    [4, 7],
    [5, 5],
    [1, 3],
    [3, 1],
  ] as const) {
    test(`Q·R gives back a matrix [${rows}, ${columns}], Q has orthonormal columns, R is upper triangular`, () => {
      const a = random(rows, columns);
      const { q, r } = qr(a);
      expect(distance(product(q, r), a)).toBeLessThan(1e-13);
      expect(distance(product(transpose(q), q), identity(q.columns))).toBeLessThan(1e-13);
      for (let i = 1; i < r.rows; i++) for (let j = 0; j < i; j++) expect(r.data[i * r.columns + j]).toBe(0);
    });
  }
  test("the first columns of Q and rows of R are those of the whole", () => {
    const a = random(9, 6);
    const whole = qr(a);
    const part = qr(a, 3);
    expect(distance(part.q, firstColumns(whole.q, 3))).toBeLessThan(1e-14);
    expect(distance(part.r, matrix(3, 6, whole.r.data.slice(0, 18)))).toBeLessThan(1e-14);
  });
  test("signs are LAPACK's: the diagonal of R is opposite in sign to the column that it replaces", () => {
    expect(qr(matrix(2, 1, [3, 4])).r.data[0]).toBeCloseTo(-5, 14);
    expect(qr(matrix(2, 1, [-3, 4])).r.data[0]).toBeCloseTo(5, 14);
  });
});

describe("svd", () => {
  for (const [rows, columns] of [
    [8, 5],
    [5, 8],
    [6, 6],
    [40, 33],
    [1, 4],
  ] as const) {
    test(`U·diag(s)·V gives back a matrix [${rows}, ${columns}]`, () => {
      const a = random(rows, columns);
      const parts = svd(a);
      expect(distance(join(parts), a)).toBeLessThan(1e-13);
      expectOrthonormal(parts);
      expect([...parts.s]).toEqual([...parts.s].sort((x, y) => y - x));
    });
  }
});

describe("randomSvd", () => {
  test("is exact when the rest of the spectrum is far below", () => {
    const a = withValues(60, 50, [9, 8, 7, 1e-6]);
    const found = randomSvd(a, 3, 4, 0);
    expect([...found.s].map((x) => Math.round(x * 1e9) / 1e9)).toEqual([9, 8, 7]);
    expectOrthonormal(found);
  });
  test("comes nearer with every iteration", () => {
    const a = random(80, 60);
    const best = svd(a).s[0]!;
    const errors = [0, 2, 16].map((iterations) => Math.abs(randomSvd(a, 4, iterations, 0).s[0]! - best));
    expect(errors[1]).toBeLessThan(errors[0]!);
    expect(errors[2]).toBeLessThan(errors[1]!);
  });
});
