/**
 * The arithmetic that int8-matmul.ts and int8-matvec.ts share, so that their results agree bit for bit.
 *
 *   c[i, j] = from[i, j] + scalesA[i]·scalesB[j]·Σ_p q[i, p]·b[p, j]      a chunk of p at a time
 *
 * Within a chunk the sum is one of integers: exact, in any order. No i32 overflows, since DEPTH·127·32767 < 2³¹. Chunks are
 * added up in f32, in order.
 */
import { madd } from "../simd/lanes";
import { loadPart, storePart } from "../simd/part";

/** Most terms of an exact sum. */
export const DEPTH: i32 = 512;

/** Terms of every chunk but the last, for an inner dimension of k: equal parts, a multiple of 8. */
export function chunkOf(k: i32): i32 {
  const chunks = (k + DEPTH - 1) / DEPTH;
  return max(((k + chunks - 1) / max(chunks, 1) + 7) & ~7, 8);
}

/**
 * The sums of one chunk, for a strip of `cols` ≤ 8 columns: i32, rows at byte steps rowSums, each with room for 8.
 * c and from have rows at byte steps rowC and rowFrom; from may be c, or one row (rowFrom = 0). scalesB 0: all are 1.
 */
export function addScaled(
  c: usize, rowC: usize, from: usize, rowFrom: usize, sums: usize, rowSums: usize, scalesA: usize, scalesB: usize,
  rows: i32, cols: i32,
): void {
  const scale0 = scalesB ? loadPart(scalesB, cols) : f32x4.splat(1);
  const scale1 = scalesB && cols > 4 ? loadPart(scalesB + 16, cols - 4) : f32x4.splat(1);
  const end = scalesA + (<usize>rows << 2);
  if (cols == 8) {
    for (; scalesA < end; scalesA += 4, c += rowC, from += rowFrom, sums += rowSums) {
      const scaleA = v128.load32_splat(scalesA);
      v128.store(c, scaled(v128.load(from), v128.load(sums), scaleA, scale0));
      v128.store(c, scaled(v128.load(from, 16), v128.load(sums, 16), scaleA, scale1), 16);
    }
  } else {
    for (; scalesA < end; scalesA += 4, c += rowC, from += rowFrom, sums += rowSums) {
      const scaleA = v128.load32_splat(scalesA);
      storePart(c, scaled(loadPart(from, cols), v128.load(sums), scaleA, scale0), cols);
      if (cols > 4) storePart(c + 16, scaled(loadPart(from + 16, cols - 4), v128.load(sums, 16), scaleA, scale1), cols - 4);
    }
  }
}

// @ts-ignore: decorator
@inline
function scaled(from: v128, sum: v128, scaleA: v128, scaleB: v128): v128 {
  return madd(f32x4.mul(f32x4.convert_i32x4_s(sum), scaleA), scaleB, from);
}
