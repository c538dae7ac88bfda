/**
 * `tile` of tile.ts, six rows and sixteen columns: two neighboring vectors are one register where V8 merges them. Compiled to
 * 128-bit code it runs out of registers.
 */
import { madd } from "../simd/lanes";

// @ts-ignore: decorator
@inline
export function wideTile(a: usize, b: usize, depth: i32, c: usize, rowC: usize, from: usize, rowFrom: usize): void {
  let c00 = v128.load(from), c01 = v128.load(from, 16), c02 = v128.load(from, 32), c03 = v128.load(from, 48);
  from += rowFrom;
  let c10 = v128.load(from), c11 = v128.load(from, 16), c12 = v128.load(from, 32), c13 = v128.load(from, 48);
  from += rowFrom;
  let c20 = v128.load(from), c21 = v128.load(from, 16), c22 = v128.load(from, 32), c23 = v128.load(from, 48);
  from += rowFrom;
  let c30 = v128.load(from), c31 = v128.load(from, 16), c32 = v128.load(from, 32), c33 = v128.load(from, 48);
  from += rowFrom;
  let c40 = v128.load(from), c41 = v128.load(from, 16), c42 = v128.load(from, 32), c43 = v128.load(from, 48);
  from += rowFrom;
  let c50 = v128.load(from), c51 = v128.load(from, 16), c52 = v128.load(from, 32), c53 = v128.load(from, 48);
  const end = a + <usize>(depth * 6 << 2);
  for (; a < end; a += 24, b += 64) {
    const b0 = v128.load(b), b1 = v128.load(b, 16), b2 = v128.load(b, 32), b3 = v128.load(b, 48);
    const a0 = v128.load32_splat(a);
    c00 = madd(a0, b0, c00), c01 = madd(a0, b1, c01), c02 = madd(a0, b2, c02), c03 = madd(a0, b3, c03);
    const a1 = v128.load32_splat(a, 4);
    c10 = madd(a1, b0, c10), c11 = madd(a1, b1, c11), c12 = madd(a1, b2, c12), c13 = madd(a1, b3, c13);
    const a2 = v128.load32_splat(a, 8);
    c20 = madd(a2, b0, c20), c21 = madd(a2, b1, c21), c22 = madd(a2, b2, c22), c23 = madd(a2, b3, c23);
    const a3 = v128.load32_splat(a, 12);
    c30 = madd(a3, b0, c30), c31 = madd(a3, b1, c31), c32 = madd(a3, b2, c32), c33 = madd(a3, b3, c33);
    const a4 = v128.load32_splat(a, 16);
    c40 = madd(a4, b0, c40), c41 = madd(a4, b1, c41), c42 = madd(a4, b2, c42), c43 = madd(a4, b3, c43);
    const a5 = v128.load32_splat(a, 20);
    c50 = madd(a5, b0, c50), c51 = madd(a5, b1, c51), c52 = madd(a5, b2, c52), c53 = madd(a5, b3, c53);
  }
  v128.store(c, c00), v128.store(c, c01, 16), v128.store(c, c02, 32), v128.store(c, c03, 48);
  c += rowC;
  v128.store(c, c10), v128.store(c, c11, 16), v128.store(c, c12, 32), v128.store(c, c13, 48);
  c += rowC;
  v128.store(c, c20), v128.store(c, c21, 16), v128.store(c, c22, 32), v128.store(c, c23, 48);
  c += rowC;
  v128.store(c, c30), v128.store(c, c31, 16), v128.store(c, c32, 32), v128.store(c, c33, 48);
  c += rowC;
  v128.store(c, c40), v128.store(c, c41, 16), v128.store(c, c42, 32), v128.store(c, c43, 48);
  c += rowC;
  v128.store(c, c50), v128.store(c, c51, 16), v128.store(c, c52, 32), v128.store(c, c53, 48);
}
