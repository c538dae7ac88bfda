import { describe, expect, test } from "vitest";
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "../../src/core/half.ts";

const all = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** The value of a 16-bit float from its fields, in f64. */
function fieldValue(bits: number, exponentBits: number): number {
  const mantissaBits = 15 - exponentBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> mantissaBits) & (2 ** exponentBits - 1);
  const fraction = (bits & (2 ** mantissaBits - 1)) / 2 ** mantissaBits;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
}

const formats = [
  { name: "f16", exponentBits: 5, widen: f16ToF32, narrow: f32ToF16, infinity: 0x7c00 },
  { name: "bf16", exponentBits: 8, widen: bf16ToF32, narrow: f32ToBf16, infinity: 0x7f80 },
] as const;

describe.each(formats)("$name", ({ exponentBits, widen, narrow, infinity }) => {
  test("all 65,536 patterns widen to the value of their fields", () => {
    const values = widen(all);
    const wrong = all.filter((bits) => !Object.is(values[bits], fieldValue(bits, exponentBits)));
    expect([...wrong]).toEqual([]);
  });

  test("all 65,536 patterns survive the way there and back, NaN payloads too", () => {
    expect(narrow(widen(all))).toEqual(all);
  });

  test("every half-way point between neighbors goes to the even one, and its float32 neighbors to the nearer one", () => {
    const lower = all.subarray(0, infinity);
    const values = widen(all.subarray(0, infinity + 1)).slice();
    // The largest finite value rounds up to infinity half a step on, where the next value would be.
    const last = values[infinity - 1]!;
    const step = last - values[infinity - 2]!;
    const middles = Float32Array.from(lower, (i) =>
      i === infinity - 1 ? last + step / 2 : (values[i]! + values[i + 1]!) / 2,
    );
    const shifted = (by: number) => new Float32Array(new Uint32Array(middles.buffer).map((word) => word + by).buffer);
    expect(narrow(middles)).toEqual(lower.map((i) => i + (i & 1)));
    expect(narrow(shifted(-1))).toEqual(lower.slice());
    expect(narrow(shifted(1))).toEqual(lower.map((i) => i + 1));
    const negative = middles.map((x) => -x);
    expect(narrow(negative)).toEqual(lower.map((i) => 0x8000 | (i + (i & 1))));
  });

  test("too large becomes infinity, and a NaN with a payload below what is kept stays NaN", () => {
    const words = Uint32Array.of(0x7f7fffff, 0xff7fffff, 0x7f800001, 0xff800001);
    const narrowed = narrow(new Float32Array(words.buffer));
    expect([...narrowed.subarray(0, 2)]).toEqual([infinity, infinity | 0x8000]);
    expect([...widen(narrowed.subarray(2))]).toEqual([Number.NaN, Number.NaN]);
  });

  test("writes into the given array, and refuses one of another length", () => {
    const out = new Float32Array(2);
    expect(widen(Uint16Array.of(0, 0x8000), out)).toBe(out);
    expect(out).toEqual(Float32Array.of(0, -0));
    expect(() => widen(Uint16Array.of(1), out)).toThrow("2 float32 values do not match 1 16-bit ones");
    expect(() => narrow(out, new Uint16Array(3))).toThrow("2 float32 values do not match 3 16-bit ones");
  });
});
