import { expect, test } from "vitest";
import { addScaled } from "../reference/add.ts";
import { around4, Bed, builds } from "./bed.ts";

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
}
