/**
 * Converts 16-bit floats, held as their bits, to and from float32.
 *
 *   f16   1 sign, 5 exponent, 10 mantissa bits (IEEE 754 binary16): 6.0e-8 to 65504
 *   bf16  1 sign, 8 exponent,  7 mantissa bits (the upper half of a float32)
 *
 * Widening is exact. Narrowing rounds to nearest, ties to even; values that are too large become infinity. Infinities,
 * signed zeros and subnormals are kept, and so are the sign and upper payload bits of a NaN: all 65,536 patterns
 * survive a round trip. Bits are moved as integers because an engine may change a NaN that passes through a number.
 */
import { ShapeError } from "./errors.ts";

/** Widens f16 bits into `out` (allocated if omitted) and returns it. */
export function f16ToF32(bits: Uint16Array, out: Float32Array = new Float32Array(bits.length)): Float32Array {
  const words = wordsOf(out, bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = widenF16(bits[i]!);
  return out;
}

/** Rounds float32 values to f16 bits in `out` (allocated if omitted) and returns it. */
export function f32ToF16(values: Float32Array, out: Uint16Array = new Uint16Array(values.length)): Uint16Array {
  const words = wordsOf(values, out.length);
  for (let i = 0; i < words.length; i++) out[i] = narrowF16(words[i]!);
  return out;
}

/** Widens bf16 bits into `out` (allocated if omitted) and returns it. */
export function bf16ToF32(bits: Uint16Array, out: Float32Array = new Float32Array(bits.length)): Float32Array {
  const words = wordsOf(out, bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return out;
}

/** Rounds float32 values to bf16 bits in `out` (allocated if omitted) and returns it. */
export function f32ToBf16(values: Float32Array, out: Uint16Array = new Uint16Array(values.length)): Uint16Array {
  const words = wordsOf(values, out.length);
  for (let i = 0; i < words.length; i++) out[i] = narrowBf16(words[i]!);
  return out;
}

function widenF16(half: number): number {
  const sign = (half & 0x8000) << 16;
  const magnitude = half & 0x7fff;
  if (magnitude >= 0x7c00) return sign | 0x7f800000 | ((magnitude & 0x3ff) << 13); // infinity, NaN
  if (magnitude >= 0x400) return sign | ((magnitude << 13) + (112 << 23)); // exponent bias 15 becomes 127
  if (magnitude === 0) return sign;
  const shift = Math.clz32(magnitude) - 21; // moves the leading one of a subnormal to the implicit position
  return sign | ((113 - shift) << 23) | (((magnitude << shift) & 0x3ff) << 13);
}

function narrowF16(word: number): number {
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7c00 | ((magnitude >>> 13) & 0x3ff || 0x200); // NaN stays NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // from 65520, halfway past the largest
  if (magnitude >= 0x38800000) return sign | roundShift(magnitude - (112 << 23), 13); // from 2^-14: normal
  if (magnitude <= 0x33000000) return sign; // up to 2^-25, half the smallest subnormal
  return sign | roundShift((magnitude & 0x7fffff) | 0x800000, 126 - (magnitude >>> 23));
}

function narrowBf16(word: number): number {
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return (word >>> 16) | ((magnitude >>> 16) & 0x7f ? 0 : 0x40); // NaN stays NaN
  return ((word >>> 16) & 0x8000) | roundShift(magnitude, 16);
}

/** n / 2^shift, ties to even. A carry out of the mantissa increments the exponent, as rounding up requires. */
function roundShift(n: number, shift: number): number {
  const odd = (n >>> shift) & 1;
  return (n + (1 << (shift - 1)) - 1 + odd) >>> shift;
}

/** The bits of `values`. Throws ShapeError unless there are `length` of them. */
function wordsOf(values: Float32Array, length: number): Uint32Array {
  if (values.length === length) return new Uint32Array(values.buffer, values.byteOffset, length);
  throw new ShapeError(`half-float conversion: ${values.length} float32 values do not match ${length} 16-bit ones`);
}
