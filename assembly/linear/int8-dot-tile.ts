/**
 * `tileInt8` of int8-tile.ts where a dot product of bytes is one instruction, as on Arm: four terms for four columns.
 *
 *   sums[i, j] = Σ_p q[i, p]·b[p, j],  q = 2¹⁴·(d₂ − 1) + 2⁷·d₁ + d₀      the digits and slivers of int8-dot-fill.ts
 *
 * It takes signed bytes and numbers of seven bits, adds their products two by two in at least 16 bits, which no pair of these
 * exceeds (2·127·127), and is then exact on every machine. The sums of one digit are shifted and those of the next added, so that a
 * tile is twenty accumulators, four vectors of b and a splat: Arm has 32 registers.
 */
import { DIGITS } from "./int8-dot-fill";

export function dotTileInt8(a: usize, b: usize, steps: i32, sums: usize, row: usize): void {
  const first = b, ends = b + <usize>(steps << 6);
  let c00 = v128.load_zero<u32>(ends), c01 = v128.load(ends, 16), c02 = v128.load(ends, 32), c03 = v128.load(ends, 48);
  // By lanes, so that V8 keeps these sums of memory base and offset in registers: the loop reads its splats there.
  c00 = v128.load_lane<u32>(ends, c00, 1, 4);
  c00 = v128.load_lane<u32>(ends, c00, 2, 8);
  c00 = v128.load_lane<u32>(ends, c00, 3, 12);
  c01 = v128.load_lane<u32>(ends, c01, 0, 16);
  let c10 = c00, c11 = c01, c12 = c02, c13 = c03, c20 = c00, c21 = c01, c22 = c02, c23 = c03;
  let c30 = c00, c31 = c01, c32 = c02, c33 = c03, c40 = c00, c41 = c01, c42 = c02, c43 = c03;
  for (let digit = 1; ; digit++) {
    for (b = first; b < ends; a += 20, b += 64) {
      const b0 = v128.load(b), b1 = v128.load(b, 16), b2 = v128.load(b, 32), b3 = v128.load(b, 48);
      const a0 = v128.load32_splat(a);
      c00 = dot(a0, b0, c00), c01 = dot(a0, b1, c01), c02 = dot(a0, b2, c02), c03 = dot(a0, b3, c03);
      const a1 = v128.load32_splat(a, 4);
      c10 = dot(a1, b0, c10), c11 = dot(a1, b1, c11), c12 = dot(a1, b2, c12), c13 = dot(a1, b3, c13);
      const a2 = v128.load32_splat(a, 8);
      c20 = dot(a2, b0, c20), c21 = dot(a2, b1, c21), c22 = dot(a2, b2, c22), c23 = dot(a2, b3, c23);
      const a3 = v128.load32_splat(a, 12);
      c30 = dot(a3, b0, c30), c31 = dot(a3, b1, c31), c32 = dot(a3, b2, c32), c33 = dot(a3, b3, c33);
      const a4 = v128.load32_splat(a, 16);
      c40 = dot(a4, b0, c40), c41 = dot(a4, b1, c41), c42 = dot(a4, b2, c42), c43 = dot(a4, b3, c43);
    }
    if (digit == DIGITS) break;
    c00 = shifted(c00), c01 = shifted(c01), c02 = shifted(c02), c03 = shifted(c03);
    c10 = shifted(c10), c11 = shifted(c11), c12 = shifted(c12), c13 = shifted(c13);
    c20 = shifted(c20), c21 = shifted(c21), c22 = shifted(c22), c23 = shifted(c23);
    c30 = shifted(c30), c31 = shifted(c31), c32 = shifted(c32), c33 = shifted(c33);
    c40 = shifted(c40), c41 = shifted(c41), c42 = shifted(c42), c43 = shifted(c43);
  }
  v128.store(sums, c00), v128.store(sums, c01, 16), v128.store(sums, c02, 32), v128.store(sums, c03, 48);
  sums += row;
  v128.store(sums, c10), v128.store(sums, c11, 16), v128.store(sums, c12, 32), v128.store(sums, c13, 48);
  sums += row;
  v128.store(sums, c20), v128.store(sums, c21, 16), v128.store(sums, c22, 32), v128.store(sums, c23, 48);
  sums += row;
  v128.store(sums, c30), v128.store(sums, c31, 16), v128.store(sums, c32, 32), v128.store(sums, c33, 48);
  sums += row;
  v128.store(sums, c40), v128.store(sums, c41, 16), v128.store(sums, c42, 32), v128.store(sums, c43, 48);
}

// @ts-ignore: decorator
@inline
function dot(digits: v128, b: v128, c: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(b, digits, c);
}

// @ts-ignore: decorator
@inline
function shifted(c: v128): v128 {
  return i32x4.shl(c, 7);
}
