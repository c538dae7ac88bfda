import { expect, test } from "vitest";
import { FormatError } from "../../src/core/errors.ts";
import { f32ToBf16, f32ToF16 } from "../../src/core/half.ts";
import { expectFinite, firstNonFinite, narrowToF16 } from "../../src/core/non-finite.ts";

const bytesOf = (values: Float32Array | Uint16Array) => new Uint8Array(values.buffer);
const encoded = {
  F32: (values: number[]) => bytesOf(Float32Array.from(values)),
  F16: (values: number[]) => bytesOf(f32ToF16(Float32Array.from(values))),
  BF16: (values: number[]) => bytesOf(f32ToBf16(Float32Array.from(values))),
};

test.each(Object.keys(encoded) as (keyof typeof encoded)[])("%s: found at every place, aligned or not", (dtype) => {
  for (let length = 0; length < 12; length++) {
    const finite = Array.from({ length }, (_, i) => (i % 2 ? -65504 : 6e-8));
    expect(firstNonFinite(dtype, encoded[dtype](finite))).toBe(-1);
    for (let at = 0; at < length; at++) {
      for (const odd of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const bytes = encoded[dtype](finite.map((x, i) => (i === at ? odd : x)));
        expect(firstNonFinite(dtype, bytes)).toBe(at);
        const shifted = new Uint8Array(bytes.length + 1);
        shifted.set(bytes, 1);
        expect(firstNonFinite(dtype, shifted.subarray(1))).toBe(at);
      }
    }
  }
});

test("the error names what, where and the way out", () => {
  const values = Float32Array.of(1, Number.NaN);
  expect(() => expectFinite('"w" in a file', values, 10)).toThrow(FormatError);
  expect(() => expectFinite('"w" in a file', values, 10)).toThrow(/^"w" in a file: element 11 is NaN.*allowNonFinite/);
});

test("a number beyond float16 is refused, infinity is kept", () => {
  expect(Array.from(narrowToF16("w", Float32Array.of(65504, 65519)))).toEqual([0x7bff, 0x7bff]);
  expect(Array.from(narrowToF16("w", Float32Array.of(Number.NEGATIVE_INFINITY)))).toEqual([0xfc00]);
  expect(() => narrowToF16("w", Float32Array.of(1, -65520))).toThrow("w: -65520 is beyond the largest float16, 65504");
});
