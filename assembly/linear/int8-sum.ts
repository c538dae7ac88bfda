/**
 * The arithmetic that int8-matmul.ts and int8-matvec.ts share, so that their results agree bit for bit.
 *
 *   c[i, j] = from[i, j] + scalesA[i]·scalesB[j]·Σ_p q[i, p]·b[p, j]      a chunk of p at a time
 *
 * Within a chunk the sum is one of integers: exact, in any order. No i32 overflows with |q| ≤ STEPS and |b| ≤ 127, since
 * DEPTH·127·STEPS < 2³¹. Chunks are added up in f32, in order.
 */
import { madd } from "../simd/lanes";
import { loadPart, storePart } from "../simd/part";

/**
 * Rows of q are quantized to this many steps each way.
 * @host INT8_STEPS
 */
export const STEPS: i32 = 16384;

/**
 * Most terms of an exact sum.
 * @host INT8_DEPTH
 */
export const DEPTH: i32 = 1024;

/** Terms of every chunk but the last, for an inner dimension of k: equal parts, a multiple of 8. */
export function chunkOf(k: i32): i32 {
  const chunks = (k + DEPTH - 1) / DEPTH;
  return max(((k + chunks - 1) / max(chunks, 1) + 7) & ~7, 8);
}

/** Columns scaled at once: a cache line of C. */
export const STRIP: i32 = 16;

/**
 * The sums of one chunk, for `cols` ≤ STRIP columns: i32, rows at byte steps rowSums. c and from have rows at byte steps rowC and
 * rowFrom; from may be c, or one row (rowFrom = 0). scalesB 0: all are 1.
 */
export function addScaled(
  c: usize, rowC: usize, from: usize, rowFrom: usize, sums: usize, rowSums: usize, scalesA: usize, scalesB: usize,
  rows: i32, cols: i32,
): void {
  const end = scalesA + (<usize>rows << 2);
  if (cols < STRIP) {
    for (; scalesA < end; scalesA += 4, c += rowC, from += rowFrom, sums += rowSums) {
      const scaleA = v128.load32_splat(scalesA);
      for (let j = 0; j < cols; j += 4) {
        const at = <usize>j << 2, count = cols - j;
        const scaleB = scalesB ? loadPart(scalesB + at, count) : f32x4.splat(1);
        storePart(c + at, scaled(loadPart(from + at, count), loadPart(sums + at, count), scaleA, scaleB), count);
      }
    }
    return;
  }
  let s0 = f32x4.splat(1), s1 = s0, s2 = s0, s3 = s0;
  if (scalesB) s0 = v128.load(scalesB), s1 = v128.load(scalesB, 16), s2 = v128.load(scalesB, 32), s3 = v128.load(scalesB, 48);
  for (; scalesA < end; scalesA += 4, c += rowC, from += rowFrom, sums += rowSums) {
    const scaleA = v128.load32_splat(scalesA);
    v128.store(c, scaled(v128.load(from), v128.load(sums), scaleA, s0));
    v128.store(c, scaled(v128.load(from, 16), v128.load(sums, 16), scaleA, s1), 16);
    v128.store(c, scaled(v128.load(from, 32), v128.load(sums, 32), scaleA, s2), 32);
    v128.store(c, scaled(v128.load(from, 48), v128.load(sums, 48), scaleA, s3), 48);
  }
}

// @ts-ignore: decorator
@inline
function scaled(from: v128, sum: v128, scaleA: v128, scaleB: v128): v128 {
  return madd(f32x4.mul(f32x4.convert_i32x4_s(sum), scaleA), scaleB, from);
}
