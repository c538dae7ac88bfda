import type { Reference } from "../kernels/bed.ts";
import { accumulate, bNk } from "./matmul.ts";

export interface Int8Sizes {
  m: number;
  n: number;
  k: number;
  ldq: number;
  ldb: number;
  ldc: number;
  layout: number;
}

/** `c` holds what C was before; `bias` and `scalesB` are null or [n]. */
export interface Int8Operands {
  q: ArrayLike<number>;
  scalesA: ArrayLike<number>;
  b: ArrayLike<number>;
  scalesB: ArrayLike<number> | null;
  c: ArrayLike<number>;
  bias: ArrayLike<number> | null;
}

/** C (+)= bias + scalesA[i]·scalesB[j]·Σ q·b in f64, where the sums of integers are exact, without gaps between the rows. */
export function matmulInt8(x: Int8Operands, s: Int8Sizes): Reference {
  const values: number[] = [];
  const magnitudes: number[] = [];
  for (let i = 0; i < s.m; i++) {
    for (let j = 0; j < s.n; j++) {
      const before = s.layout & accumulate ? x.c[i * s.ldc + j]! : (x.bias?.[j] ?? 0);
      const scale = x.scalesA[i]! * (x.scalesB?.[j] ?? 1);
      let sum = 0;
      let magnitude = 0;
      for (let p = 0; p < s.k; p++) {
        const term = x.q[i * s.ldq + p]! * x.b[s.layout & bNk ? j * s.ldb + p : p * s.ldb + j]!;
        sum += term;
        magnitude += Math.abs(term);
      }
      values.push(before + scale * sum);
      magnitudes.push(Math.abs(before) + Math.abs(scale) * magnitude);
    }
  }
  return { values, magnitudes };
}
