import { expect, test } from "vitest";
import { addProduct, addScaled } from "../reference/add.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

for (const build of builds) {
  test(`add_f32, axpy_f32 and scale_f32 (${build}) match f64 for every tail and leave the rest of the range alone`, () => {
    for (const n of around4) {
      const bed = new Bed(build);
      const a = bed.random(n);
      const b = bed.random(n);
      const y = bed.empty(n);
      bed.kernels.add_f32(y.byteOffset, a.byteOffset, b.byteOffset, 0, n);
      bed.check(y, addScaled(a, b, 1), 2);
      const want = addScaled(y, b, 0.75);
      bed.kernels.axpy_f32(y.byteOffset, b.byteOffset, 0.75, 0, n);
      bed.check(y, want, 3);
      const before = Float32Array.from(y);
      bed.kernels.scale_f32(y.byteOffset, -0.5, 1, n);
      expect(Array.from(y)).toEqual(Array.from(before, (v, i) => (i < 1 ? v : -0.5 * v)));
    }
  });

  const products = (n: number) => {
    const bed = new Bed(build, n);
    const [a, b, y, da] = [bed.random(n), bed.random(n), bed.empty(n), bed.random(n)];
    const at = (x: Float32Array) => x.byteOffset;
    const mul = (start: number, end: number) => bed.kernels.mul_f32(at(y), at(a), at(b), start, end);
    const mulDa = (start: number, end: number) => bed.kernels.mul_f32_da(at(da), at(a), at(b), start, end);
    return { bed, a, b, y, da, mul, mulDa };
  };

  test(`mul_f32 and mul_f32_da (${build}) match f64 for every tail`, () => {
    for (const n of around4) {
      const { bed, a, b, y, da, mul, mulDa } = products(n);
      mul(0, n);
      bed.check(y, addProduct(new Float64Array(n), a, b), 1);
      const want = addProduct(da, a, b);
      mulDa(0, n);
      bed.check(da, want, 2);
    }
  });

  test(`mul_f32 and mul_f32_da (${build}) give the same bits in one call and in ranges`, () => {
    checkRanges(37, () => {
      const { mul, y } = products(37);
      return { run: mul, outputs: [[y, (i) => i]] };
    });
    checkRanges(37, () => {
      const { mulDa, da } = products(37);
      return { run: mulDa, outputs: [[da, (i) => i]] };
    });
  });
}
