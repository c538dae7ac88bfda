/**
 * The arithmetic that int8-matmul.ts and int8-matvec.ts share, so that their results agree bit for bit.
 *
 *   c[i, j] = from[i, j] + scalesA[i]·scalesB[j]·Σ_p q[i, p]·b[p, j]      a chunk of p at a time
 *
 * Within a chunk the sum is one of integers: exact, in any order. No i32 overflows: DEPTH·127·32767 < 2³¹, whatever the
 * operands. Chunks are added up in f32, in order.
 */
import { madd } from "../simd/lanes";

/** Most terms of an exact sum. */
export const DEPTH: i32 = 512;

/** Terms of every chunk but the last, for an inner dimension of k: equal parts, a multiple of 8. */
export function chunkOf(k: i32): i32 {
  const chunks = (k + DEPTH - 1) / DEPTH;
  return max(((k + chunks - 1) / max(chunks, 1) + 7) & ~7, 8);
}

/** from + scaleA·scaleB·sum, by lanes. */
// @ts-ignore: decorator
@inline
export function scaled(from: v128, sum: v128, scaleA: v128, scaleB: v128): v128 {
  return madd(f32x4.mul(f32x4.convert_i32x4_s(sum), scaleA), scaleB, from);
}
