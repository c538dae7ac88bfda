import type { Reference } from "../kernels/bed.ts";

/** The bits of the kernels' `layout` argument, see assembly/linear/layout.ts. */
export const bNk = 1;
export const b2Nk = 2;
export const aKm = 4;
export const accumulate = 8;
export const fewLoads = 16;

export interface Sizes {
  m: number;
  n: number;
  k: number;
  r: number;
  lda: number;
  ldb: number;
  ldc: number;
  lda2: number;
  ldb2: number;
  layout: number;
  scale: number;
}

/** The operands as numbers; `c` holds what C was before, `bias` is null or [n]. */
export interface Operands {
  a: ArrayLike<number>;
  b: ArrayLike<number>;
  c: ArrayLike<number>;
  bias: ArrayLike<number> | null;
  a2: ArrayLike<number>;
  b2: ArrayLike<number>;
}

/** C (+)= bias + A·B + scale·A2·B2 in f64, without gaps between the rows. */
export function matmul(x: Operands, s: Sizes): Reference {
  const values: number[] = [];
  const magnitudes: number[] = [];
  for (let i = 0; i < s.m; i++) {
    for (let j = 0; j < s.n; j++) {
      let value = s.layout & accumulate ? x.c[i * s.ldc + j]! : (x.bias?.[j] ?? 0);
      let magnitude = Math.abs(value);
      const add = (term: number) => {
        value += term;
        magnitude += Math.abs(term);
      };
      for (let p = 0; p < s.k; p++) {
        const a = x.a[s.layout & aKm ? p * s.lda + i : i * s.lda + p]!;
        add(a * x.b[s.layout & bNk ? j * s.ldb + p : p * s.ldb + j]!);
      }
      for (let q = 0; q < s.r; q++) {
        add(s.scale * x.a2[i * s.lda2 + q]! * x.b2[s.layout & b2Nk ? j * s.ldb2 + q : q * s.ldb2 + j]!);
      }
      values.push(value);
      magnitudes.push(magnitude);
    }
  }
  return { values, magnitudes };
}

/** The number that an IEEE half stands for. */
export function fromF16(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** The number that a bfloat16 stands for: the upper half of an f32. */
export function fromBf16(bits: number): number {
  return new Float32Array(Uint32Array.of(bits * 65536).buffer)[0]!;
}
