/**
 * The product of matmul_nf4 for one to a few rows of A and B stored [n, k], in integers: as in decoding, where reading four
 * bits a weight would wait for the widening to f32.
 *
 *   C[i, j] (+)= bias[j] + scalesA[i]·Σ_b absmax[b]·Σ_{p in b} q[i, p]·LEVELS[code[first + j·k + p]]
 *
 *   c [m, n] f32   q [m, k] i16 and scalesA [m], of quantize_rows_i16   bias [n] or 0   layout: ACCUMULATE of layout.ts
 *   w   a tensor of simd/nf4-read.ts; k and first are multiples of 32
 *
 * Levels are rounded to steps of 2⁻¹⁴. Half a block is one sum of integers, eight terms a lane: no i32 overflows with
 * |q| ≤ STEPS. The range is of columns.
 */
import { addDot, zipHigh, zipLow } from "../simd/int8";
import { hsum, madd } from "../simd/lanes";
import { absmax, BLOCK, codesHigh, codesLow, codesOf, shortPlane } from "../simd/nf4-read";
import { ACCUMULATE } from "./layout";

/**
 * Rows of q are quantized to this many steps each way.
 * @host NF4_STEPS
 */
const STEPS: i32 = 16383;

const STEP: f32 = 1.0 / 16384;

/** @split columns of k */
export function matvec_nf4_i16(
  c: usize, q: usize, scalesA: usize, w: usize, first: i32, m: i32, n: i32, k: i32, ldq: i32, ldc: i32, layout: i32,
  bias: usize, colStart: i32, colEnd: i32,
): void {
  const rowQ = <usize>ldq << 1, rowC = <usize>ldc << 2;
  for (let i = 0; i < m; i++, q += rowQ, c += rowC) {
    const scale = load<f32>(scalesA + (<usize>i << 2)) * STEP;
    for (let j = colStart; j < colEnd; j++) {
      const skip = <usize>j << 2;
      const from: f32 = layout & ACCUMULATE ? load<f32>(c + skip) : bias ? load<f32>(bias + skip) : 0;
      store<f32>(c + skip, from + scale * dot(q, w, first + j * k, k));
    }
  }
}

function dot(q: usize, w: usize, e: i32, k: i32): f32 {
  const low = shortPlane(w, 0), high = shortPlane(w, 1);
  const codes = codesOf(w);
  let sums = f32x4.splat(0);
  for (const end = e + k; e < end; e += BLOCK >> 1, q += BLOCK) {
    const bytes = v128.load(codes + <usize>(e >> 1));
    const c0 = codesLow(bytes), c1 = codesHigh(bytes);
    const l0 = v128.swizzle(low, c0), h0 = v128.swizzle(high, c0);
    const l1 = v128.swizzle(low, c1), h1 = v128.swizzle(high, c1);
    let sum = i32x4.dot_i16x8_s(v128.load(q), zipLow(l0, h0));
    sum = addDot(v128.load(q, 16), zipHigh(l0, h0), sum);
    sum = addDot(v128.load(q, 32), zipLow(l1, h1), sum);
    sum = addDot(v128.load(q, 48), zipHigh(l1, h1), sum);
    sums = madd(f32x4.splat(absmax(w, e / BLOCK)), f32x4.convert_i32x4_s(sum), sums);
  }
  return hsum(sums);
}
