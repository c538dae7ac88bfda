/**
 * Fills the slivers of `dotTileInt8`, four terms of a sum side by side as bytes.
 *
 *   A   q + 2¹⁴ in DIGITS digits of seven bits, the highest first: [DIGITS, steps, ROWS, 4] u8
 *   B   as stored: [steps, COLS, 4] i8, zeros beyond the last term; then −Σ_p b[p, j] for every column, i32
 *
 * q = ±2¹⁴ inclusive takes 15 bits, one more than two digits have; the highest digit is 0 to 2. Lanes beyond the matrix's edge repeat
 * the last one: nobody reads the tile's sums for them.
 */
import { zipHigh, zipLow } from "../simd/int8";
import { storeTransposed } from "./fill";
import { STEPS, STRIP } from "./int8-sum";

export const DIGITS: i32 = 3;
const BITS: i32 = 7;
const ROWS: i32 = 5;

/** Bytes of a sliver of A. */
// @ts-ignore: decorator
@inline
export function dotSliverA(steps: i32): usize {
  return <usize>(DIGITS * steps * ROWS << 2);
}

/** `lanes` rows of q, rows at byte steps `row`. */
export function dotFillA(sliver: usize, q: usize, row: usize, lanes: i32, terms: i32): void {
  const plane = <usize>(((terms + 3) >> 2) * ROWS << 2);
  for (let i = 0; i < ROWS; i++, sliver += 4) {
    let from = q + <usize>min(i, lanes - 1) * row, to = sliver, p = 0;
    for (; p <= terms - 16; p += 16, from += 32, to += 4 * ROWS << 2) {
      const up = i16x8.splat(<i16>STEPS);
      const v0 = i16x8.add(v128.load(from), up), v1 = i16x8.add(v128.load(from, 16), up);
      storeQuads(to, digits(v0, v1, 2 * BITS));
      storeQuads(to + plane, digits(v0, v1, BITS));
      storeQuads(to + 2 * plane, digits(v0, v1, 0));
    }
    for (; p < terms; p++, from += 2) {
      const v = <i32>load<i16>(from) + STEPS, at = to + <usize>(((p & 15) >> 2) * ROWS << 2) + <usize>(p & 3);
      store<u8>(at, v >> 2 * BITS), store<u8>(at + plane, (v >> BITS) & 127), store<u8>(at + 2 * plane, v & 127);
    }
  }
}

// @ts-ignore: decorator
@inline
function digits(v0: v128, v1: v128, shift: i32): v128 {
  const low = i16x8.splat(127);
  return i8x16.narrow_i16x8_s(v128.and(i16x8.shr_u(v0, shift), low), v128.and(i16x8.shr_u(v1, shift), low));
}

// @ts-ignore: decorator
@inline
function storeQuads(to: usize, v: v128): void {
  v128.store32_lane(to, v, 0), v128.store32_lane(to, v, 1, ROWS << 2);
  v128.store32_lane(to, v, 2, 2 * ROWS << 2), v128.store32_lane(to, v, 3, 3 * ROWS << 2);
}

/** Up to STRIP columns and `depth` terms of B, stored [n, k] (down) or [k, n], rows at byte steps `row`. */
export function dotFillB(sliver: usize, b: usize, row: usize, down: bool, cols: i32, depth: i32): void {
  const steps = (depth + 3) >> 2, sums = sliver + <usize>(steps * STRIP << 2);
  const whole = down ? depth & ~15 : cols == STRIP ? depth & ~3 : 0;
  if (down) for (let j = 0; j < cols; j += 4) fillDown(sliver + (<usize>j << 2), b + <usize>j * row, row, cols - j, whole);
  else fillAcross(sliver, b, row, whole);
  const rest = b + <usize>whole * (down ? 1 : row);
  fillRest(sliver + <usize>whole * STRIP, rest, down ? row : 1, down ? 1 : row, cols, depth - whole);
  for (let j = 0; j < STRIP << 2; j += 16) {
    let sum = i32x4.splat(0);
    for (let at = sliver + <usize>j; at < sums; at += STRIP << 2) {
      sum = i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load(at), i8x16.splat(1), sum);
    }
    v128.store(sums + j, i32x4.neg(sum));
  }
}

function fillRest(sliver: usize, b: usize, stepLane: usize, stepDepth: usize, lanes: i32, depth: i32): void {
  for (; depth > 0; depth -= 4, b += 4 * stepDepth) {
    for (let i = 0; i < STRIP; i++, sliver += 4) {
      const from = b + <usize>min(i, lanes - 1) * stepLane;
      for (let p = 0; p < 4; p++) store<i8>(sliver + p, p < depth ? load<i8>(from + <usize>p * stepDepth) : 0);
    }
  }
}

/** Four columns. */
function fillDown(sliver: usize, b: usize, row: usize, lanes: i32, depth: i32): void {
  const row1 = <usize>min(1, lanes - 1) * row, row2 = <usize>min(2, lanes - 1) * row, row3 = <usize>min(3, lanes - 1) * row;
  for (const end = b + <usize>depth; b < end; b += 16, sliver += 4 * STRIP << 2) {
    storeTransposed(sliver, STRIP << 2, v128.load(b), v128.load(b + row1), v128.load(b + row2), v128.load(b + row3));
  }
}

/** STRIP columns: whole vectors of the rows p to p + 3 interleaved by bytes. */
function fillAcross(sliver: usize, b: usize, row: usize, depth: i32): void {
  const end = sliver + <usize>depth * STRIP;
  for (; sliver < end; sliver += STRIP << 2, b += 4 * row) {
    const v0 = v128.load(b), v1 = v128.load(b + row), v2 = v128.load(b + 2 * row), v3 = v128.load(b + 3 * row);
    const low02 = zipLow(v0, v2), low13 = zipLow(v1, v3), high02 = zipHigh(v0, v2), high13 = zipHigh(v1, v3);
    v128.store(sliver, zipLow(low02, low13)), v128.store(sliver, zipHigh(low02, low13), 16);
    v128.store(sliver, zipLow(high02, high13), 32), v128.store(sliver, zipHigh(high02, high13), 48);
  }
}
