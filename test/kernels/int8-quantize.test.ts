import { expect, test } from "vitest";
import { absmax, scaleOf, toInt8 } from "../reference/int8-quantize.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const rows = 5;
const at = (array: { byteOffset: number }) => array.byteOffset;

/** A matrix with a row and a column of zeros, NaN between its rows, and ties: the largest of most rows is 127, so that 0.5 is one. */
function matrix(bed: Bed, cols: number, ldx: number): Float32Array {
  const x = bed.random(rows * ldx);
  for (let i = 0; i < rows; i++) {
    if (i % 2 === 0) {
      for (let p = 0; p < cols; p++) x[i * ldx + p] = Math.round(x[i * ldx + p]! * 253) / 2;
      x[i * ldx] = 127;
    }
    x.fill(Number.NaN, i * ldx + cols, (i + 1) * ldx);
  }
  x.fill(0, 3 * ldx, 3 * ldx + cols);
  return x;
}

for (const build of builds) {
  test(`quantize_int8 (${build}) has the bits of round(x / scale) with scale = absmax / 127, for every tail and range`, () => {
    for (const cols of around4) {
      const ldx = cols + 2;
      const prepare = () => {
        const bed = new Bed(build, cols);
        const x = matrix(bed, cols, ldx);
        const b = bed.int8(new Int8Array(rows * cols).fill(99));
        const scales = bed.empty(rows);
        const run = (start: number, end: number) =>
          bed.kernels.quantize_int8(at(b), at(scales), at(x), rows, cols, ldx, start, end);
        return { bed, x, b, scales, run };
      };
      const { bed, x, b, scales, run } = prepare();
      run(1, 3);
      expect(Array.from(b.subarray(0, cols))).toEqual(new Array(cols).fill(99));
      run(0, rows);
      for (let i = 0; i < rows; i++) {
        const row = x.subarray(i * ldx, i * ldx + cols);
        const scale = scaleOf(absmax(row), 127);
        expect(scales[i]).toBe(scale);
        expect(Array.from(b.subarray(i * cols, (i + 1) * cols))).toEqual(Array.from(row, (v) => toInt8(v, scale)));
      }
      bed.checkGuards();
      checkRanges(rows, () => {
        const job = prepare();
        return { run: job.run, outputs: [[job.scales, (i) => i]] };
      });
    }
  });

  test(`absmax_columns_f32 and quantize_int8_columns (${build}) do the same by columns, a piece of rows at a time`, () => {
    for (const cols of around4) {
      const bed = new Bed(build, cols);
      const x = matrix(bed, cols, cols);
      const most = bed.zeros(cols);
      for (const [first, count] of [
        [0, 2],
        [2, 3],
      ] as const)
        for (const [start, end] of [
          [0, cols >> 1],
          [cols >> 1, cols],
        ] as const)
          bed.kernels.absmax_columns_f32(at(most), at(x) + first * cols * 4, count, cols, start, end);
      const column = (p: number) => Array.from({ length: rows }, (_, i) => x[i * cols + p]!);
      expect(Array.from(most)).toEqual(Array.from(most, (_, p) => absmax(column(p))));
      const scales = bed.from(Array.from(most, (v) => scaleOf(v, 127)));
      const b = bed.int8(new Int8Array(rows * cols).fill(99));
      bed.kernels.quantize_int8_columns(at(b), at(scales), at(x), rows, cols, cols, 1, rows);
      expect(Array.from(b.subarray(0, cols))).toEqual(new Array(cols).fill(99));
      bed.kernels.quantize_int8_columns(at(b), at(scales), at(x), rows, cols, cols, 0, 1);
      expect(Array.from(b)).toEqual(Array.from(x, (v, e) => toInt8(v, scales[e % cols]!)));
      bed.checkGuards();
    }
  });

  test(`a weight of zeros, subnormal or not finite (${build}) is quantized to what says so`, () => {
    const bed = new Bed(build);
    const least = 2 ** -149;
    const x = bed.from([0, -0, least, -200 * least, 1, Number.NaN, 2, Number.NEGATIVE_INFINITY]);
    const b = bed.int8(new Int8Array(8));
    const scales = bed.empty(4);
    bed.kernels.quantize_int8(at(b), at(scales), at(x), 4, 2, 2, 0, 4);
    expect(Array.from(scales.subarray(0, 2))).toEqual([0, 2 * least]);
    expect(Array.from(b.subarray(0, 4))).toEqual([0, 0, 0, -100]);
    expect(Number.isNaN(scales[2])).toBe(true);
    expect(Number.isFinite(scales[3])).toBe(false);
  });

  test(`quantize_rows_i16 (${build}) is within half a step of x·factors, and uses the whole range, for every tail and range`, () => {
    for (const cols of around4)
      for (const limit of [2047, 22017, 32767])
        for (const withFactors of [false, true]) {
          const [ldx, ldq] = [cols + 2, cols + (cols % 2) + 2];
          const prepare = () => {
            const bed = new Bed(build, cols);
            const x = matrix(bed, cols, ldx);
            const factors = withFactors ? bed.random(cols) : null;
            const q = bed.int16(new Int16Array(rows * ldq).fill(99));
            const scales = bed.empty(rows);
            const run = (start: number, end: number) =>
              bed.kernels.quantize_rows_i16(
                ...[at(q), at(scales), at(x), factors?.byteOffset ?? 0, cols, ldx, ldq].concat([limit, start, end]) as
                  Parameters<typeof bed.kernels.quantize_rows_i16>, // biome-ignore format: one call
              );
            return { bed, x, factors, q, scales, run };
          };
          const { bed, x, factors, q, scales, run } = prepare();
          run(2, 4);
          expect(Array.from(q.subarray(0, 2 * ldq))).toEqual(new Array(2 * ldq).fill(99));
          run(0, rows);
          for (let i = 0; i < rows; i++) {
            const row = Array.from({ length: cols }, (_, p) => Math.fround(x[i * ldx + p]! * (factors?.[p] ?? 1)));
            expect(scales[i]).toBe(scaleOf(absmax(row), limit));
            const stored = Array.from(q.subarray(i * ldq, (i + 1) * ldq));
            expect(stored.slice(cols)).toEqual(new Array(ldq - cols).fill(0));
            if (scales[i] !== 0) expect(absmax(stored)).toBe(limit);
            row.forEach((v, p) => {
              // Half a step, and two roundings of v · (limit / absmax), which is at most 2^15.
              expect(Math.abs(v - stored[p]! * scales[i]!)).toBeLessThanOrEqual((0.5 + 3 * 2 ** -9) * scales[i]!);
            });
          }
          bed.checkGuards();
          checkRanges(rows, () => {
            const job = prepare();
            return { run: job.run, outputs: [[job.scales, (i) => i]] };
          });
        }
  });

  test(`quantize_rows_i16 (${build}) marks rows that are not finite, and counts the very smallest as zeros`, () => {
    const bed = new Bed(build);
    const x = bed.from([
      1,
      Number.NaN,
      3,
      Number.NEGATIVE_INFINITY,
      2 ** -101,
      -(2 ** -120),
      2 ** -100,
      0,
      2 ** 127,
      -1,
    ]);
    const q = bed.int16(new Int16Array(10).fill(99));
    const scales = bed.empty(5);
    bed.kernels.quantize_rows_i16(at(q), at(scales), at(x), 0, 2, 2, 2, 32767, 0, 5);
    expect(Array.from(scales)).toEqual([
      Number.NaN,
      Number.NaN,
      0,
      ...[2 ** -100, 2 ** 127].map((v) => scaleOf(v, 32767)),
    ]);
    expect(Array.from(q)).toEqual([0, 0, 0, 0, 0, 0, 32767, 0, 32767, 0]);
  });
}
