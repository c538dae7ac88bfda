/**
 * The hot loop of every matmul: one tile of C in registers, from two packed slivers.
 *
 *   c[i, j] = from[i, j] + Σ_p a[p, i]·b[p, j]      i < ROWS, j < COLS, p < depth
 *
 *   a [depth, ROWS]   b [depth, COLS]   packed, f32
 *   c, from           rows at byte steps rowC and rowFrom; from may be c, or one row (rowFrom = 0)
 *
 * Each sum runs in order of p from its starting value, so a long sum may be cut into several calls anywhere without
 * changing a bit.
 *
 * Registers decide the shape: x86 engines give 15. Multiply-then-add needs a temporary beside the accumulators, the two
 * vectors of b and the splat of a: 5x8. Fused multiply-add does without: 6x8. V8 spills if the loop is unrolled by hand.
 * Where V8 merges pairs of vectors (WIDE), the same registers hold twice as much: 6x16.
 */
import { madd } from "../simd/lanes";
import { wideTile } from "./wide-tile";

export const ROWS: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 5;
export const FEWER_ROWS: i32 = 5;
export const COLS: i32 = WIDE ? 16 : 8;

/**
 * Four floats, one by one at offsets 0, 4, 8 and 12, where the loop reads its splats of a. V8 11 keeps the sum of memory
 * base and offset in a register only if it is also used outside the loop; else it adds anew each time, and the baseline
 * build loses 7 % of its speed.
 */
// @ts-ignore: decorator
@inline
function loadByLanes(p: usize): v128 {
  let v = v128.load_zero<u32>(p);
  v = v128.load_lane<u32>(p, v, 1, 4);
  v = v128.load_lane<u32>(p, v, 2, 8);
  return v128.load_lane<u32>(p, v, 3, 12);
}

export function tile(a: usize, b: usize, depth: i32, c: usize, rowC: usize, from: usize, rowFrom: usize): void {
  if (WIDE) {
    wideTile(a, b, depth, c, rowC, from, rowFrom);
    return;
  }
  let c00 = loadByLanes(from), c01 = v128.load(from, 16);
  from += rowFrom;
  let c10 = v128.load(from), c11 = v128.load(from, 16);
  from += rowFrom;
  let c20 = v128.load(from), c21 = v128.load(from, 16);
  from += rowFrom;
  let c30 = v128.load(from), c31 = v128.load(from, 16);
  from += rowFrom;
  let c40 = v128.load(from), c41 = v128.load(from, 16);
  let c50 = c40, c51 = c41;
  if (ROWS > 5) {
    from += rowFrom;
    c50 = v128.load(from);
    c51 = v128.load(from, 16);
  }
  const end = a + <usize>(depth * ROWS << 2);
  for (; a < end; a += ROWS << 2, b += COLS << 2) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const a0 = v128.load32_splat(a);
    c00 = madd(a0, b0, c00);
    c01 = madd(a0, b1, c01);
    const a1 = v128.load32_splat(a, 4);
    c10 = madd(a1, b0, c10);
    c11 = madd(a1, b1, c11);
    const a2 = v128.load32_splat(a, 8);
    c20 = madd(a2, b0, c20);
    c21 = madd(a2, b1, c21);
    const a3 = v128.load32_splat(a, 12);
    c30 = madd(a3, b0, c30);
    c31 = madd(a3, b1, c31);
    const a4 = v128.load32_splat(a, 16);
    c40 = madd(a4, b0, c40);
    c41 = madd(a4, b1, c41);
    if (ROWS > 5) {
      const a5 = v128.load32_splat(a, 20);
      c50 = madd(a5, b0, c50);
      c51 = madd(a5, b1, c51);
    }
  }
  v128.store(c, c00), v128.store(c, c01, 16);
  c += rowC;
  v128.store(c, c10), v128.store(c, c11, 16);
  c += rowC;
  v128.store(c, c20), v128.store(c, c21, 16);
  c += rowC;
  v128.store(c, c30), v128.store(c, c31, 16);
  c += rowC;
  v128.store(c, c40), v128.store(c, c41, 16);
  if (ROWS > 5) {
    c += rowC;
    v128.store(c, c50), v128.store(c, c51, 16);
  }
}

/**
 * The same with fewer and wider loads of a, and five rows in every build, since the loaded lanes take a register. Deno and workerd
 * check the address of each load; there this is 13 % (baseline) and 15 % (relaxed) faster, in Node 13 % and more slower.
 */
export function tileByLanes(a: usize, b: usize, depth: i32, c: usize, rowC: usize, from: usize, rowFrom: usize): void {
  let c00 = v128.load(from), c01 = v128.load(from, 16);
  from += rowFrom;
  let c10 = v128.load(from), c11 = v128.load(from, 16);
  from += rowFrom;
  let c20 = v128.load(from), c21 = v128.load(from, 16);
  from += rowFrom;
  let c30 = v128.load(from), c31 = v128.load(from, 16);
  from += rowFrom;
  let c40 = v128.load(from), c41 = v128.load(from, 16);
  const end = a + <usize>(depth * FEWER_ROWS << 2);
  for (; a < end; a += FEWER_ROWS << 2, b += COLS << 2) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    const lanes = v128.load(a);
    const a0 = v128.shuffle<f32>(lanes, lanes, 0, 0, 0, 0);
    c00 = madd(a0, b0, c00);
    c01 = madd(a0, b1, c01);
    const a1 = v128.shuffle<f32>(lanes, lanes, 1, 1, 1, 1);
    c10 = madd(a1, b0, c10);
    c11 = madd(a1, b1, c11);
    const a2 = v128.shuffle<f32>(lanes, lanes, 2, 2, 2, 2);
    c20 = madd(a2, b0, c20);
    c21 = madd(a2, b1, c21);
    const a3 = v128.shuffle<f32>(lanes, lanes, 3, 3, 3, 3);
    c30 = madd(a3, b0, c30);
    c31 = madd(a3, b1, c31);
    const a4 = v128.load32_splat(a, 16);
    c40 = madd(a4, b0, c40);
    c41 = madd(a4, b1, c41);
  }
  v128.store(c, c00), v128.store(c, c01, 16);
  c += rowC;
  v128.store(c, c10), v128.store(c, c11, 16);
  c += rowC;
  v128.store(c, c20), v128.store(c, c21, 16);
  c += rowC;
  v128.store(c, c30), v128.store(c, c31, 16);
  c += rowC;
  v128.store(c, c40), v128.store(c, c41, 16);
}
