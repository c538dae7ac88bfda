import { test } from "vitest";
import { expectGradient, numbers } from "../reference/finite-differences.ts";
import { inverseRms, rmsNorm, rmsNormDw, rmsNormDx } from "../reference/rms-norm.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const eps = 1e-5;

function prepare(build: string, rows: number, width: number) {
  const bed = new Bed(build, width);
  const x = bed.random(rows * width, 3);
  const w = bed.random(width, 2);
  const dy = bed.random(rows * width);
  const y = bed.empty(rows * width);
  const inv = bed.empty(rows);
  const dx = bed.random(rows * width);
  const dw = bed.random(width);
  const [atX, atW, atDy, atInv] = [x, w, dy, inv].map((a) => a.byteOffset) as [number, number, number, number];
  const forward = (start: number, end: number) =>
    bed.kernels.rms_norm_f32(y.byteOffset, atInv, atX, atW, width, eps, start, end);
  const backwardX = (start: number, end: number) =>
    bed.kernels.rms_norm_f32_dx(dx.byteOffset, atDy, atX, atW, atInv, width, start, end);
  const backwardW = (start: number, end: number) =>
    bed.kernels.rms_norm_f32_dw(dw.byteOffset, atDy, atX, atInv, rows, width, start, end);
  return { bed, x, w, dy, y, inv, dx, dw, forward, backwardX, backwardW };
}

test("the f64 gradients of rms norm match finite differences", () => {
  const [x, w, dy] = [numbers(15, 1), numbers(5, 2), numbers(15, 3)];
  expectGradient((at) => rmsNorm(at, w, eps).values, x, dy, rmsNormDx(new Float64Array(15), dy, x, w, eps).values);
  expectGradient((at) => rmsNorm(x, at, eps).values, w, dy, rmsNormDw(new Float64Array(5), dy, x, eps).values);
});

for (const build of builds) {
  test(`rms_norm_f32 and its gradients (${build}) match f64 for every tail`, () => {
    for (const rows of [1, 3]) {
      for (const width of around4) {
        const { bed, x, w, dy, y, inv, dx, dw, forward, backwardX, backwardW } = prepare(build, rows, width);
        const wantDx = rmsNormDx(dx, dy, x, w, eps);
        const wantDw = rmsNormDw(dw, dy, x, eps);
        forward(0, rows);
        backwardX(0, rows);
        backwardW(0, width);
        bed.check(inv, inverseRms(x, width, eps), width + 4);
        bed.check(y, rmsNorm(x, w, eps), width + 6);
        bed.check(dx, wantDx, 2 * width + 10);
        bed.check(dw, wantDw, rows + width + 8);
      }
    }
  });

  test(`rms_norm_f32 (${build}) gives the same y when inv is not kept`, () => {
    const { bed, x, w, y } = prepare(build, 3, 5);
    bed.kernels.rms_norm_f32(y.byteOffset, 0, x.byteOffset, w.byteOffset, 5, eps, 0, 3);
    bed.check(y, rmsNorm(x, w, eps), 11);
  });

  test(`rms_norm_f32 and its gradients (${build}) give the same bits in one call and in ranges`, () => {
    const [rows, width] = [7, 37];
    const byRow = (e: number) => Math.floor(e / width);
    checkRanges(rows, () => {
      const { forward, y, inv } = prepare(build, rows, width);
      return {
        run: forward,
        outputs: [
          [y, byRow],
          [inv, (i) => i],
        ],
      };
    });
    checkRanges(rows, () => {
      const { forward, backwardX, dx } = prepare(build, rows, width);
      forward(0, rows);
      return { run: backwardX, outputs: [[dx, byRow]] };
    });
    checkRanges(width, () => {
      const { forward, backwardW, dw } = prepare(build, rows, width);
      forward(0, rows);
      return { run: backwardW, outputs: [[dw, (c) => c]] };
    });
  });
}
