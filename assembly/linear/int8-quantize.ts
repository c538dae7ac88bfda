/**
 * To int8 and i16 and back. All are symmetric: x ≈ scale·q.
 *
 *   quantize_rows_i16     q[i, p] = round(x[i, p]·factors[p] / scales[i]), scales[i] = max_p |x[i, p]·factors[p]| / limit
 *   quantize_int8         b[i, p] = round(x[i, p] / scales[i]),            scales[i] = max_p |x[i, p]| / 127
 *   quantize_int8_columns b[i, p] = round(x[i, p] / scales[p]),            scales given
 *   absmax_columns_f32    max[p] = max(max[p], max_i |x[i, p]|)            columns start..end
 *
 *   x [rows, cols] f32, ldx elements from row to row   factors [cols], or 0 where all are 1   max [cols]
 *   q [rows, ldq] i16, ldq even and >= cols, zero from cols on   b [rows, cols] i8   y [rows, cols]
 *
 * Rounding is to nearest, ties to even. Rows start..end unless said otherwise. A row or column of zeros gets scale 0. A NaN or an
 * infinity in a row makes its scale NaN or infinite and spoils every product with the row, as it would have in f32. A row
 * for i16 whose largest is below 2⁻¹⁰⁰ counts as zeros.
 */
import { loadPart, storePart } from "../simd/part";

/** 1.5·2²³: added to a number below 2²², leaves its nearest integer in the low bits. */
const ROUND_BITS: i32 = 0x4b400000;
const LEAST: f32 = 7.888609052210118e-31;

/** @split items of cols * ldx * ldq */
export function quantize_rows_i16(
  q: usize, scales: usize, x: usize, factors: usize, cols: i32, ldx: i32, ldq: i32, limit: i32, start: i32, end: i32,
): void {
  for (let i = start; i < end; i++) {
    const row = x + (<usize>i * <usize>ldx << 2), out = q + (<usize>i * <usize>ldq << 1);
    const most = factors ? absMax(row, factors, cols, true) : absMax(row, 0, cols, false);
    const finite = reinterpret<i32>(most) < 0x7f800000, zero = most < LEAST;
    store<f32>(scales + (<usize>i << 2), !finite ? NaN : zero ? 0 : most / <f32>limit);
    const inverse: f32 = zero ? 0 : <f32>limit / most;
    if (factors) roundRow(out, row, factors, cols, inverse, finite, true);
    else roundRow(out, row, 0, cols, inverse, finite, false);
    for (let p = cols; p < ldq; p++) store<i16>(out + (<usize>p << 1), 0);
  }
}

/** Magnitudes compare as integers, with infinity and NaN above all numbers. */
// @ts-ignore: decorator
@inline
function magnitude(v: v128): v128 {
  return v128.and(v, i32x4.splat(0x7fffffff));
}

// @ts-ignore: decorator
@inline
function absMax(x: usize, factors: usize, cols: i32, scaled: bool): f32 {
  // Doubled, which drops the sign.
  let most = i32x4.splat(0);
  if (WIDE) {
    let other = most;
    for (; cols >= 8; cols -= 8, x += 32, factors += 32) {
      let v0 = v128.load(x), v1 = v128.load(x, 16);
      if (scaled) v0 = f32x4.mul(v0, v128.load(factors)), v1 = f32x4.mul(v1, v128.load(factors, 16));
      most = i32x4.max_u(most, i32x4.shl(v0, 1)), other = i32x4.max_u(other, i32x4.shl(v1, 1));
    }
    most = i32x4.max_u(most, other);
  }
  for (; cols > 0; cols -= 4, x += 16, factors += 16) {
    let v = loadPart(x, cols);
    if (scaled) v = f32x4.mul(v, loadPart(factors, cols));
    most = i32x4.max_u(most, i32x4.shl(v, 1));
  }
  most = i32x4.max_u(most, v128.shuffle<i32>(most, most, 2, 3, 0, 1));
  most = i32x4.max_u(most, v128.shuffle<i32>(most, most, 1, 0, 3, 2));
  return f32x4.extract_lane(i32x4.shr_u(most, 1), 0);
}

/** The integers nearest to v·factor; round: of ROUND_BITS. */
// @ts-ignore: decorator
@inline
function rounded(v: v128, factor: v128, round: v128): v128 {
  return i32x4.sub(f32x4.add(f32x4.mul(v, factor), round), round);
}

/** Rows that are not finite become zeros: a NaN scale says it. */
// @ts-ignore: decorator
@inline
function roundRow(out: usize, x: usize, factors: usize, cols: i32, inverse: f32, finite: bool, scaled: bool): void {
  if (!finite) {
    memory.fill(out, 0, cols << 1);
    return;
  }
  // Not a constant in the wide build: V8 12 and later make one anew at every use.
  const factor = f32x4.splat(inverse), round = i32x4.splat(WIDE ? ROUND_BITS + (cols >> 31) : ROUND_BITS);
  if (WIDE) {
    for (; cols >= 8; cols -= 8, x += 32, factors += 32, out += 16) {
      let v0 = v128.load(x), v1 = v128.load(x, 16);
      if (scaled) v0 = f32x4.mul(v0, v128.load(factors)), v1 = f32x4.mul(v1, v128.load(factors, 16));
      v128.store(out, i16x8.narrow_i32x4_s(rounded(v0, factor, round), rounded(v1, factor, round)));
    }
  }
  for (; cols > 0; cols -= 4, x += 16, factors += 16, out += 8) {
    let v = loadPart(x, cols);
    if (scaled) v = f32x4.mul(v, loadPart(factors, cols));
    const bits = rounded(v, factor, round);
    const words = i16x8.narrow_i32x4_s(bits, bits);
    if (cols >= 4) {
      v128.store64_lane(out, words, 0);
    } else {
      v128.store_lane<u16>(out, words, 0);
      if (cols > 1) v128.store_lane<u16>(out + 2, words, 1);
      if (cols > 2) v128.store_lane<u16>(out + 4, words, 2);
    }
  }
}

/** @split items of rows * cols * ldx */
export function quantize_int8(
  b: usize, scales: usize, x: usize, rows: i32, cols: i32, ldx: i32, start: i32, end: i32,
): void {
  for (let i = start; i < end; i++) {
    const row = x + (<usize>i * <usize>ldx << 2);
    const scale = absMax(row, 0, cols, false) / 127;
    store<f32>(scales + (<usize>i << 2), scale);
    const out = b + <usize>i * <usize>cols, all = f32x4.splat(scale);
    for (let p = 0; p < cols; p += 4) roundBytes(out + <usize>p, loadPart(row + (<usize>p << 2), cols - p), all, cols - p);
  }
}

/** @split items of rows * cols * ldx */
export function quantize_int8_columns(
  b: usize, scales: usize, x: usize, rows: i32, cols: i32, ldx: i32, start: i32, end: i32,
): void {
  for (let i = start; i < end; i++) {
    const row = x + (<usize>i * <usize>ldx << 2), out = b + <usize>i * <usize>cols;
    for (let p = 0; p < cols; p += 4) {
      const at = <usize>p << 2, count = cols - p;
      roundBytes(out + <usize>p, loadPart(row + at, count), loadPart(scales + at, count), count);
    }
  }
}

/** The first `count` lanes of v / scale as bytes. 0 / 0 is 0. */
// @ts-ignore: decorator
@inline
function roundBytes(out: usize, v: v128, scale: v128, count: i32): void {
  const rounded = f32x4.nearest(f32x4.div(v, scale));
  const integers = i32x4.trunc_sat_f32x4_s(rounded);
  const limited = i32x4.max_s(i32x4.min_s(integers, i32x4.splat(127)), i32x4.splat(-127));
  const words = i16x8.narrow_i32x4_s(limited, limited), bytes = i8x16.narrow_i16x8_s(words, words);
  if (count >= 4) {
    v128.store32_lane(out, bytes, 0);
  } else {
    v128.store_lane<u8>(out, bytes, 0);
    if (count > 1) v128.store_lane<u8>(out + 1, bytes, 1);
    if (count > 2) v128.store_lane<u8>(out + 2, bytes, 2);
  }
}

/** @split items of rows * cols */
export function absmax_columns_f32(max: usize, x: usize, rows: i32, cols: i32, start: i32, end: i32): void {
  const row = <usize>cols << 2;
  for (let i = 0; i < rows; i++, x += row) {
    for (let p = start; p < end; p += 4) {
      const at = <usize>p << 2, count = end - p;
      storePart(max + at, i32x4.max_s(loadPart(max + at, count), magnitude(loadPart(x + at, count))), count);
    }
  }
}
