import { test } from "vitest";
import { addColumns, scaleColumns, scaleColumnsDc } from "../reference/columns.ts";
import { expectGradient, numbers } from "../reference/finite-differences.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

function prepare(build: string, rows: number, cols: number) {
  const bed = new Bed(build, cols);
  const x = bed.random(rows * cols);
  const c = bed.random(cols, 2);
  const dy = bed.random(rows * cols);
  const y = bed.empty(rows * cols);
  const dx = bed.random(rows * cols);
  const dc = bed.random(cols);
  const [atX, atC, atDy] = [x, c, dy].map((a) => a.byteOffset) as [number, number, number];
  const { kernels } = bed;
  const scale = (start: number, end: number) => kernels.scale_columns_f32(y.byteOffset, atX, atC, cols, start, end);
  const scaleDx = (start: number, end: number) =>
    kernels.scale_columns_f32_dx(dx.byteOffset, atDy, atC, cols, start, end);
  const scaleDc = (start: number, end: number) =>
    kernels.scale_columns_f32_dc(dc.byteOffset, atDy, atX, rows, cols, start, end);
  const add = (start: number, end: number) => kernels.add_columns_f32(dx.byteOffset, atC, cols, start, end);
  return { bed, x, c, dy, y, dx, dc, scale, scaleDx, scaleDc, add };
}

test("the f64 gradients of scaled columns match finite differences", () => {
  const [x, c, dy, zeros] = [numbers(15, 1), numbers(5, 2), numbers(15, 3), new Float64Array(15)];
  expectGradient((at) => scaleColumns(zeros, at, c).values, x, dy, scaleColumns(zeros, dy, c).values);
  expectGradient((at) => scaleColumns(zeros, x, at).values, c, dy, scaleColumnsDc(new Float64Array(5), dy, x).values);
});

for (const build of builds) {
  test(`scale_columns_f32, its gradients and add_columns_f32 (${build}) match f64 for every tail`, () => {
    for (const rows of [1, 3]) {
      for (const cols of around4) {
        const { bed, x, c, dy, y, dx, dc, scale, scaleDx, scaleDc, add } = prepare(build, rows, cols);
        const wantDx = scaleColumns(dx, dy, c);
        const wantDc = scaleColumnsDc(dc, dy, x);
        scale(0, rows);
        scaleDx(0, rows);
        scaleDc(0, cols);
        bed.check(y, scaleColumns(new Float64Array(x.length), x, c), 1);
        bed.check(dx, wantDx, 2);
        bed.check(dc, wantDc, rows + 2);
        const wantSum = addColumns(dx, c);
        add(0, rows);
        bed.check(dx, wantSum, 1);
      }
    }
  });

  test(`scale_columns_f32, its gradients and add_columns_f32 (${build}) give the same bits in one call and in ranges`, () => {
    const [rows, cols] = [7, 37];
    const byRow = (e: number) => Math.floor(e / cols);
    checkRanges(rows, () => {
      const { scale, y } = prepare(build, rows, cols);
      return { run: scale, outputs: [[y, byRow]] };
    });
    for (const name of ["scaleDx", "add"] as const) {
      checkRanges(rows, () => {
        const job = prepare(build, rows, cols);
        return { run: job[name], outputs: [[job.dx, byRow]] };
      });
    }
    checkRanges(cols, () => {
      const { scaleDc, dc } = prepare(build, rows, cols);
      return { run: scaleDc, outputs: [[dc, (c) => c]] };
    });
  });
}
