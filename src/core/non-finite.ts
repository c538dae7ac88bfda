/** Finds NaN and infinity by the bits of numbers: all bits of the exponent are set. */
import { FormatError } from "./errors.ts";
import { f32ToF16 } from "./half.ts";

/** The exponents of all numbers in a 32-bit word, their lowest bits, and the bits that a carry out of them reaches. */
const exponents = {
  F32: { mask: 0x7f800000, one: 0x00800000, carry: 0x80000000 | 0 },
  F16: { mask: 0x7c007c00, one: 0x04000400, carry: 0x80008000 | 0 },
  BF16: { mask: 0x7f807f80, one: 0x00800080, carry: 0x80008000 | 0 },
} as const;

/** Whether `dtype` is checked here. */
export function isChecked(dtype: string): dtype is keyof typeof exponents {
  return Object.hasOwn(exponents, dtype);
}

/** The first number that is NaN or infinite, or -1. The bytes may be unaligned. */
export function firstNonFinite(dtype: keyof typeof exponents, bytes: Uint8Array): number {
  const words = Math.floor(bytes.length / 4);
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const { mask, one, carry } = exponents[dtype];
  if (
    anyCarries(new Int32Array(aligned.buffer, aligned.byteOffset, words), mask, one, carry) ||
    bytes.length % 4 !== 0
  ) {
    const size = dtype === "F32" ? 4 : 2;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const exponent = size === 4 ? mask : mask & 0xffff;
    for (let at = 0; at < bytes.length; at += size) {
      const bits = size === 4 ? view.getUint32(at, true) : view.getUint16(at, true);
      if ((bits & exponent) === exponent) return at / size;
    }
  }
  return -1;
}

/** Four words at a time, without a branch for each. */
function anyCarries(words: Int32Array, mask: number, one: number, carry: number): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  let i = 0;
  for (; i + 4 <= words.length; i += 4) {
    a |= (words[i]! & mask) + one;
    b |= (words[i + 1]! & mask) + one;
    c |= (words[i + 2]! & mask) + one;
    d |= (words[i + 3]! & mask) + one;
  }
  for (; i < words.length; i++) a |= (words[i]! & mask) + one;
  return ((a | b | c | d) & carry) !== 0;
}

/** Throws FormatError, which names `what`, where a number is NaN or infinite. `first` is the place of the first one. */
export function expectFinite(what: string, values: Float32Array, first = 0): void {
  const at = firstNonFinite("F32", new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  if (at >= 0) throw nonFinite(what, first + at, values[at]!);
}

/** The error for a number of a file. */
export function nonFinite(what: string, at: number, value: number): FormatError {
  return new FormatError(
    `${what}: element ${at} is ${value}, expected finite numbers: the file is damaged, or its training diverged (allowNonFinite: true loads it all the same)`,
  );
}

/** The same bits as `f32ToF16`. Throws FormatError, which names `what`, where a finite number becomes infinite. */
export function narrowToF16(
  what: string,
  values: Float32Array,
  out: Uint16Array = new Uint16Array(values.length),
): Uint16Array {
  f32ToF16(values, out);
  if (firstNonFinite("F16", new Uint8Array(out.buffer, out.byteOffset, out.byteLength)) >= 0) {
    const at = out.findIndex((bits, i) => (bits & 0x7fff) === 0x7c00 && Number.isFinite(values[i]));
    if (at >= 0)
      throw new FormatError(
        `${what}: ${values[at]} is beyond the largest float16, 65504; use bf16 or f32 for these weights`,
      );
  }
  return out;
}
