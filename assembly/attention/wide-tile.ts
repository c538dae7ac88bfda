/** `tile` of tile.ts with sixteen columns: two neighboring vectors are one register where V8 merges them. */
import { madd } from "../simd/lanes";

// @ts-ignore: decorator
@inline
export function wideTile(
  c: usize, rowC: usize, from: usize, rowFrom: usize, a: usize, stepA: usize, b: usize, end: usize,
): void {
  let c00 = v128.load(from), c01 = v128.load(from, 16), c02 = v128.load(from, 32), c03 = v128.load(from, 48);
  from += rowFrom;
  let c10 = v128.load(from), c11 = v128.load(from, 16), c12 = v128.load(from, 32), c13 = v128.load(from, 48);
  from += rowFrom;
  let c20 = v128.load(from), c21 = v128.load(from, 16), c22 = v128.load(from, 32), c23 = v128.load(from, 48);
  from += rowFrom;
  let c30 = v128.load(from), c31 = v128.load(from, 16), c32 = v128.load(from, 32), c33 = v128.load(from, 48);
  for (; b < end; a += stepA, b += 64) {
    const b0 = v128.load(b), b1 = v128.load(b, 16), b2 = v128.load(b, 32), b3 = v128.load(b, 48);
    const a0 = v128.load32_splat(a);
    c00 = madd(a0, b0, c00), c01 = madd(a0, b1, c01), c02 = madd(a0, b2, c02), c03 = madd(a0, b3, c03);
    const a1 = v128.load32_splat(a, 4);
    c10 = madd(a1, b0, c10), c11 = madd(a1, b1, c11), c12 = madd(a1, b2, c12), c13 = madd(a1, b3, c13);
    const a2 = v128.load32_splat(a, 8);
    c20 = madd(a2, b0, c20), c21 = madd(a2, b1, c21), c22 = madd(a2, b2, c22), c23 = madd(a2, b3, c23);
    const a3 = v128.load32_splat(a, 12);
    c30 = madd(a3, b0, c30), c31 = madd(a3, b1, c31), c32 = madd(a3, b2, c32), c33 = madd(a3, b3, c33);
  }
  v128.store(c, c00), v128.store(c, c01, 16), v128.store(c, c02, 32), v128.store(c, c03, 48);
  c += rowC;
  v128.store(c, c10), v128.store(c, c11, 16), v128.store(c, c12, 32), v128.store(c, c13, 48);
  c += rowC;
  v128.store(c, c20), v128.store(c, c21, 16), v128.store(c, c22, 32), v128.store(c, c23, 48);
  c += rowC;
  v128.store(c, c30), v128.store(c, c31, 16), v128.store(c, c32, 32), v128.store(c, c33, 48);
}
