import { expect, test } from "vitest";
import { columnMoments, moved, secondMoments, update } from "../reference/adafactor.ts";
import { Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const scale = 0.75;
const [eps, beta2] = [1e-3, 0.8];
const rates = { lr: 0.1, beta1: 0.9, keep: 0.95 };

const matrix = (values: Float32Array, cols: number, factor = 1): number[][] =>
  Array.from({ length: values.length / cols }, (_, i) =>
    Array.from(values.subarray(i * cols, (i + 1) * cols), (x) => x * factor),
  );
const average = (values: Float32Array) => values.reduce((sum, x) => sum + x, 0) / values.length;

function prepare(build: string, rows: number, cols: number) {
  const bed = new Bed(build, rows * 100 + cols);
  const [p, g, f] = [bed.random(rows * cols, 2), bed.random(rows * cols), bed.random(rows * cols, 0.1)];
  const row = bed.from(bed.random(rows).map((x) => 0.1 + Math.abs(x)));
  const col = bed.from(bed.random(cols).map((x) => 0.1 + Math.abs(x)));
  const norms = bed.doubles(rows);
  const mean = average(row);
  const at = (a: { byteOffset: number }) => a.byteOffset;
  const { kernels } = bed;
  const run = {
    rows: (start: number, end: number) =>
      kernels.adafactor_rows_f32(at(row), at(g), cols, scale, eps, beta2, start, end),
    columns: (start: number, end: number) =>
      kernels.adafactor_columns_f32(at(col), at(g), rows, cols, scale, eps, beta2, start, end),
    norms: (start: number, end: number) =>
      kernels.adafactor_norms_f32(at(norms), at(g), at(row), at(col), mean, cols, scale, start, end),
    step: (start: number, end: number, first = at(f)) => {
      const { lr, beta1, keep } = rates;
      const factors = [at(row), at(col), mean, cols, scale] as const;
      kernels.adafactor_f32(at(p), at(g), first, ...factors, lr, beta1, keep, start, end);
    },
  };
  return { bed, p, g, f, row, col, norms, run };
}

const shapes = [
  [1, 1],
  [1, 6],
  [3, 4],
  [5, 33],
  [9, 50],
  [64, 3],
] as const;

for (const build of builds) {
  test(`adafactor's second moments (${build}) match f64 for every tail`, () => {
    for (const [rows, cols] of shapes) {
      const { bed, g, row, col, run } = prepare(build, rows, cols);
      const wantRow = secondMoments(row, matrix(g, cols, scale), beta2, eps);
      const wantCol = columnMoments(col, matrix(g, cols, scale), beta2, eps);
      run.rows(0, rows);
      run.columns(0, cols);
      bed.check(row, wantRow, 2);
      bed.check(col, wantCol, 2);
    }
  });

  test(`adafactor_norms_f32 (${build}) and adafactor_f32 match f64 for every tail, with a first moment and without`, () => {
    for (const [rows, cols] of shapes) {
      for (const first of [true, false]) {
        const { bed, p, g, f, row, col, norms, run } = prepare(build, rows, cols);
        const u = update(matrix(g, cols, scale), row, col);
        const want = moved(matrix(p, cols), u, first ? matrix(f, cols) : null, rates);
        const before = Array.from(f);
        run.norms(0, rows);
        const squares = u.map((line) => line.reduce((sum, x) => sum + x * x, 0));
        bed.check(norms, { values: squares, magnitudes: squares }, 12);
        run.step(0, rows, first ? undefined : 0);
        bed.check(p, want.p, 10);
        if (first) bed.check(f, want.f, 10);
        else expect(Array.from(f)).toEqual(before);
      }
    }
  });

  test(`adafactor's kernels (${build}) give the same bits in one call and in ranges`, () => {
    const [rows, cols] = [7, 41];
    const rowOf = (i: number) => Math.floor(i / cols);
    const same = (i: number) => i;
    const made = () => prepare(build, rows, cols);
    checkRanges(rows, () => {
      const { row, run } = made();
      return { run: run.rows, outputs: [[row, same]] };
    });
    checkRanges(cols, () => {
      const { col, run } = made();
      return { run: run.columns, outputs: [[col, same]] };
    });
    checkRanges(rows, () => {
      const { norms, run } = made();
      return { run: run.norms, outputs: [[norms, same]] };
    });
    checkRanges(rows, () => {
      const { p, f, run } = made();
      return {
        run: run.step,
        outputs: [
          [p, rowOf],
          [f, rowOf],
        ],
      };
    });
  });
}
