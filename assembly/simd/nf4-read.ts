/**
 * Reading weights in four bits: NF4 with doubly quantized scales, as QLoRA has them (Dettmers et al. 2023, sections 3 and 4).
 *
 *   w[e] = LEVELS[code[e]]·absmax[e / 64]        absmax[b] = map[q[b]]·absmax2[b / 256] + offset
 *
 * A tensor is one block of memory that begins with a header: where codes, q and absmax2 are, the offset, the levels as four
 * planes of 16 bytes (byte b of every level), the levels rounded to 15 bits as two such planes, the map of 256 f32.
 * Elements are those of the flattened tensor; two to a byte, the even one in the high half.
 */
import { zipHigh, zipLow } from "./int8";

/** Stands for NF4 as a type argument of a product. */
export type NF4 = u8;

/**
 * Elements that share a scale.
 * @host NF4_BLOCK
 */
export const BLOCK: i32 = 64;
/**
 * Blocks that share a scale of their scales, as a power of two.
 * @host NF4_OUTER_BITS
 */
const OUTER_BITS: i32 = 8;
const CODES: usize = 0;
const ABSMAX: usize = 4;
const ABSMAX2: usize = 8;
/** @host NF4_OFFSET */
const OFFSET: usize = 12;
/** @host NF4_PLANES */
const PLANES: usize = 16;
/** @host NF4_SHORT_PLANES */
const SHORT_PLANES: usize = 80;
/** @host NF4_MAP */
const MAP: usize = 112;

// @ts-ignore: decorator
@inline
export function codesOf(w: usize): usize {
  return load<usize>(w, CODES);
}

/** Byte `b` of every level. */
// @ts-ignore: decorator
@inline
export function plane(w: usize, b: usize): v128 {
  return v128.load(w + (b << 4), PLANES);
}

/** Byte `b` of every level as an i16, in steps of 2⁻¹⁴. */
// @ts-ignore: decorator
@inline
export function shortPlane(w: usize, b: usize): v128 {
  return v128.load(w + (b << 4), SHORT_PLANES);
}

/** The scale of a block. */
// @ts-ignore: decorator
@inline
export function absmax(w: usize, block: i32): f32 {
  const q = <usize>load<u8>(load<usize>(w, ABSMAX) + <usize>block);
  const outer = load<f32>(load<usize>(w, ABSMAX2) + (<usize>(block >> OUTER_BITS) << 2));
  return load<f32>(w + (q << 2), MAP) * outer + load<f32>(w, OFFSET);
}

/** The first eight codes of `bytes`, or the second eight, one a byte; so for all 16 bytes of 32 codes. */
// @ts-ignore: decorator
@inline
export function codesLow(bytes: v128): v128 {
  return zipLow(i8x16.shr_u(bytes, 4), v128.and(bytes, i8x16.splat(15)));
}

// @ts-ignore: decorator
@inline
export function codesHigh(bytes: v128): v128 {
  return zipHigh(i8x16.shr_u(bytes, 4), v128.and(bytes, i8x16.splat(15)));
}

/** Levels of four codes from the bytes of their planes: of codes 0..3, 4..7, 8..11 or 12..15. */
// @ts-ignore: decorator
@inline
export function levels(b0: v128, b1: v128, b2: v128, b3: v128, quarter: i32): v128 {
  const low = quarter < 2 ? zipLow(b0, b1) : zipHigh(b0, b1), high = quarter < 2 ? zipLow(b2, b3) : zipHigh(b2, b3);
  if (quarter & 1) return v128.shuffle<i16>(low, high, 4, 12, 5, 13, 6, 14, 7, 15);
  return v128.shuffle<i16>(low, high, 0, 8, 1, 9, 2, 10, 3, 11);
}

/** Bytes of a table by codes below 16: for those the relaxed operation gives the same everywhere. */
// @ts-ignore: decorator
@inline
export function lookUp(table: v128, codes: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i8x16.relaxed_swizzle(table, codes) : v128.swizzle(table, codes);
}

/** One element. */
function element(w: usize, e: i32): f32 {
  const byte = load<u8>(codesOf(w) + <usize>(e >> 1));
  const at = w + <usize>(e & 1 ? byte & 15 : byte >> 4);
  const bits = <u32>load<u8>(at, PLANES) | (<u32>load<u8>(at, PLANES + 16) << 8) | (<u32>load<u8>(at, PLANES + 32) << 16) |
    (<u32>load<u8>(at, PLANES + 48) << 24);
  return reinterpret<f32>(bits) * absmax(w, e / BLOCK);
}

/** y[0..] = w[e..end] in f32. */
export function widen(y: usize, w: usize, e: i32, end: i32): void {
  const p0 = plane(w, 0), p1 = plane(w, 1), p2 = plane(w, 2), p3 = plane(w, 3);
  const codes = codesOf(w);
  while (e < end) {
    const stop = min(end, (e | (BLOCK - 1)) + 1);
    const scale = f32x4.splat(absmax(w, e / BLOCK));
    if (e & 1) store<f32>(y, element(w, e)), e++, y += 4;
    for (; e + 16 <= stop; e += 16, y += 64) {
      const c = codesLow(v128.load64_zero(codes + <usize>(e >> 1)));
      const b0 = lookUp(p0, c), b1 = lookUp(p1, c), b2 = lookUp(p2, c), b3 = lookUp(p3, c);
      v128.store(y, f32x4.mul(scale, levels(b0, b1, b2, b3, 0)));
      v128.store(y, f32x4.mul(scale, levels(b0, b1, b2, b3, 1)), 16);
      v128.store(y, f32x4.mul(scale, levels(b0, b1, b2, b3, 2)), 32);
      v128.store(y, f32x4.mul(scale, levels(b0, b1, b2, b3, 3)), 48);
    }
    for (; e < stop; e++, y += 4) store<f32>(y, element(w, e));
  }
}
