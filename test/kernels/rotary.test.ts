import { expect, test } from "vitest";
import { rotary } from "../reference/rotary.ts";
import { Bed, builds } from "./bed.ts";

const shapes = [
  { heads: 1, headDim: 2, rotaryDim: 2 },
  { heads: 3, headDim: 6, rotaryDim: 6 },
  { heads: 2, headDim: 10, rotaryDim: 4 },
  { heads: 2, headDim: 16, rotaryDim: 8 },
  { heads: 2, headDim: 33, rotaryDim: 32 },
  { heads: 3, headDim: 64, rotaryDim: 64 },
  { heads: 1, headDim: 80, rotaryDim: 20 },
];
const rows = 7;
const maxPosition = 12;

/** A bed with angles that belong to no model, rows with a gap of three NaN, and a call on rows [start, end). */
function prepare(build: string, { heads, headDim, rotaryDim }: (typeof shapes)[number]) {
  const bed = new Bed(build);
  const width = heads * headDim;
  const ldx = width + 3;
  const x = bed.empty(rows * ldx);
  const source = bed.random(rows * width);
  for (let i = 0; i < rows; i++) x.set(source.subarray(i * width, (i + 1) * width), i * ldx);
  const angles = Array.from(bed.random((maxPosition * rotaryDim) / 2, 3));
  const cos = bed.from(angles.map(Math.cos));
  const sin = bed.from(angles.map(Math.sin));
  const positions = bed.ints([3, 0, 11, 5, 5, 6, 1]);
  const at = [x, positions, cos, sin].map((a) => a.byteOffset) as [number, number, number, number];
  const turn = (direction: number, start: number, end: number) =>
    bed.kernels.rotary_f32(...at, heads, headDim, rotaryDim, ldx, direction, start, end);
  const packed = () => Array.from({ length: rows }, (_, i) => Array.from(x.subarray(i * ldx, i * ldx + width))).flat();
  return { bed, x, ldx, width, cos, sin, positions, turn, packed };
}

for (const build of builds) {
  test(`rotary_f32 (${build}) matches f64 in both directions, for partial rotation and every tail`, () => {
    for (const shape of shapes) {
      for (const direction of [1, -1]) {
        const { bed, x, ldx, width, cos, sin, positions, turn, packed } = prepare(build, shape);
        const want = rotary(packed(), positions, cos, sin, { ...shape, direction });
        turn(direction, 0, rows);
        bed.check(packed(), want, 3);
        for (let i = 0; i < x.length; i++) if (i % ldx >= width) expect(x[i]).toBeNaN();
      }
    }
  });

  test(`rotary_f32 (${build}) with direction -1 undoes direction 1`, () => {
    for (const shape of shapes) {
      const { bed, turn, packed } = prepare(build, shape);
      const values = packed();
      turn(1, 0, rows);
      turn(-1, 0, rows);
      bed.check(packed(), { values, magnitudes: values.map(() => 1) }, 8);
    }
  });

  test(`rotary_f32 (${build}) gives the same bits in one call and in ranges, and touches no other row`, () => {
    for (const shape of shapes) {
      const whole = prepare(build, shape);
      const parts = prepare(build, shape);
      const before = parts.packed();
      whole.turn(1, 0, rows);
      parts.turn(1, 2, 5);
      const keeps = (i: number) => i < 2 * parts.width || i >= 5 * parts.width;
      expect(parts.packed().filter((_, i) => keeps(i))).toEqual(before.filter((_, i) => keeps(i)));
      parts.turn(1, 5, rows);
      parts.turn(1, 0, 2);
      expect(parts.packed()).toEqual(whole.packed());
    }
  });
}
