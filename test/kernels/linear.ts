/** What the tests of matmul and matvec share: operands with gaps between their rows, of every dtype and layout. */
import { aKm, b2Nk, bNk, fromBf16, fromF16, type Operands, type Sizes } from "../reference/matmul.ts";
import type { Bed } from "./bed.ts";

export const dtypes = ["f32", "f16", "bf16"] as const;
export type Dtype = (typeof dtypes)[number];

/** One product on a bed: the reference's view of it, and the pointers that the kernels want. */
export interface Product {
  sizes: Sizes;
  operands: Operands;
  c: Float32Array;
  pointers: { a: number; b: number; c: number; bias: number; a2: number; b2: number };
}

export function product(
  bed: Bed,
  dtype: Dtype,
  layout: number,
  [m, n, k, r]: readonly [number, number, number, number],
  withBias: boolean,
): Product {
  const [aRows, aCols] = layout & aKm ? [k, m] : [m, k];
  const [bRows, bCols] = layout & bNk ? [n, k] : [k, n];
  const [b2Rows, b2Cols] = layout & b2Nk ? [n, r] : [r, n];
  const gap = 3;
  const a = matrix(bed, aRows, aCols, aCols + gap);
  const a2 = matrix(bed, m, r, r + gap);
  const b2 = matrix(bed, b2Rows, b2Cols, b2Cols + gap);
  const c = matrix(bed, m, n, n + gap);
  const bias = withBias ? bed.random(n) : null;
  const b = weights(bed, dtype, bRows, bCols, bCols + gap);
  const sizes: Sizes = {
    ...{ m, n, k, r, layout, scale: 0.75 },
    ...{ lda: aCols + gap, ldb: bCols + gap, ldc: n + gap, lda2: r + gap, ldb2: b2Cols + gap },
  };
  return {
    sizes,
    operands: { a, b: b.values, c: Float32Array.from(c), bias, a2, b2 },
    c,
    pointers: {
      ...{ a: a.byteOffset, b: b.at, c: c.byteOffset, bias: bias?.byteOffset ?? 0 },
      ...{ a2: a2.byteOffset, b2: b2.byteOffset },
    },
  };
}

/** Random rows with NaN between them. */
function matrix(bed: Bed, rows: number, cols: number, ld: number): Float32Array {
  const x = bed.random(rows * ld);
  for (let i = 0; i < rows; i++) x.fill(Number.NaN, i * ld + cols, (i + 1) * ld);
  return x;
}

function weights(bed: Bed, dtype: Dtype, rows: number, cols: number, ld: number) {
  const x = matrix(bed, rows, cols, ld);
  if (dtype === "f32") return { at: x.byteOffset, values: x as ArrayLike<number> };
  const bits = bed.halves(Array.from(x, (v) => (dtype === "f16" ? someF16(v) : someBf16(v))));
  return { at: bits.byteOffset, values: Array.from(bits, dtype === "f16" ? fromF16 : fromBf16) };
}

/** Any half of about this size will do: the sign, an exponent and ten more bits of the f32. */
function someF16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  if (Number.isNaN(value)) return 0x7e00;
  const exponent = Math.max(((bits >>> 23) & 255) - 112, 0);
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 1023);
}

function someBf16(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16;
}

/** C without the gaps between its rows. */
export function dense(c: ArrayLike<number>, { m, n, ldc }: Pick<Sizes, "m" | "n" | "ldc">): number[] {
  return Array.from({ length: m * n }, (_, i) => c[Math.floor(i / n) * ldc + (i % n)]!);
}

/** Whether the words between C's rows are still NaN. */
export function gapsUntouched(c: Float32Array, { m, n, ldc }: Pick<Sizes, "m" | "n" | "ldc">): boolean {
  return Array.from({ length: m }, (_, i) => c.subarray(i * ldc + n, (i + 1) * ldc)).every((gap) =>
    gap.every((v) => Number.isNaN(v)),
  );
}
