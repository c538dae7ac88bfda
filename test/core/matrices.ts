/** What the tests of matrices share. */
import { expect } from "vitest";
import { type Matrix, matrix, product, qr, type Svd, transpose } from "../../src/core/linalg.ts";
import { Philox } from "../../src/core/random/philox.ts";

/** Entries N(0, 1), the same for the same seed. */
export function random(rows: number, columns: number, seed = 1): Matrix {
  const draw = new Philox(seed);
  return matrix(
    rows,
    columns,
    Float64Array.from({ length: rows * columns }, () => draw.normal()),
  );
}

/** Largest difference of two matrices. */
export function distance(a: Matrix, b: Matrix): number {
  expect([a.rows, a.columns]).toEqual([b.rows, b.columns]);
  return a.data.reduce((worst, x, i) => Math.max(worst, Math.abs(x - b.data[i]!)), 0);
}

export function identity(n: number): Matrix {
  const out = matrix(n, n);
  for (let i = 0; i < n; i++) out.data[i * n + i] = 1;
  return out;
}

export function join({ u, s, v }: Svd): Matrix {
  const scaled = matrix(
    u.rows,
    u.columns,
    u.data.map((x, i) => x * s[i % s.length]!),
  );
  return product(scaled, v);
}

export function expectOrthonormal({ u, v }: Svd): void {
  expect(distance(product(transpose(u), u), identity(u.columns))).toBeLessThan(1e-12);
  expect(distance(product(v, transpose(v)), identity(v.rows))).toBeLessThan(1e-12);
}

/** U·diag(s)·V with the given singular values. */
export function withValues(rows: number, columns: number, values: readonly number[]): Matrix {
  const u = qr(random(rows, values.length, 5)).q;
  const v = transpose(qr(random(columns, values.length, 6)).q);
  return join({ u, s: Float64Array.from(values), v });
}
