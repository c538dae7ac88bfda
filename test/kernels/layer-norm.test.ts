import { expect, test } from "vitest";
import { expectGradient, numbers } from "../reference/finite-differences.ts";
import { layerNorm, layerNormDw, layerNormDx, moments } from "../reference/layer-norm.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const eps = 1e-2; // large, so that rows of one number, whose variance is 0, are well conditioned too

function prepare(build: string, rows: number, width: number) {
  const bed = new Bed(build, width);
  const x = bed.random(rows * width, 3);
  const w = bed.random(width, 2);
  const b = bed.random(width);
  const dy = bed.random(rows * width);
  const y = bed.empty(rows * width);
  const mean = bed.empty(rows);
  const inv = bed.empty(rows);
  const dx = bed.random(rows * width);
  const dw = bed.random(width);
  const db = bed.random(width);
  const at = (a: Float32Array) => a.byteOffset;
  const forward = (start: number, end: number) =>
    bed.kernels.layer_norm_f32(at(y), at(mean), at(inv), at(x), at(w), at(b), width, eps, start, end);
  const backwardX = (start: number, end: number) =>
    bed.kernels.layer_norm_f32_dx(at(dx), at(dy), at(x), at(w), at(mean), at(inv), width, start, end);
  const backwardW = (start: number, end: number, ptrW = at(dw), ptrB = at(db)) =>
    bed.kernels.layer_norm_f32_dw(ptrW, ptrB, at(dy), at(x), at(mean), at(inv), rows, width, start, end);
  return { bed, x, w, b, dy, y, mean, inv, dx, dw, db, forward, backwardX, backwardW };
}

test("the f64 gradients of layer norm match finite differences", () => {
  const [x, w, b, dy] = [numbers(15, 1), numbers(5, 2), numbers(5, 4), numbers(15, 3)];
  const zeros = new Float64Array(5);
  const { dw, db } = layerNormDw({ dw: zeros, db: zeros }, dy, x, eps);
  const dx = layerNormDx(new Float64Array(15), dy, x, w, eps);
  expectGradient((at) => layerNorm(at, w, b, eps).values, x, dy, dx.values);
  expectGradient((at) => layerNorm(x, at, b, eps).values, w, dy, dw.values);
  expectGradient((at) => layerNorm(x, w, at, eps).values, b, dy, db.values);
});

for (const build of builds) {
  test(`layer_norm_f32 and its gradients (${build}) match f64 for every tail`, () => {
    for (const rows of [1, 3]) {
      for (const width of around4) {
        const { bed, x, w, b, dy, y, mean, inv, dx, dw, db, ...run } = prepare(build, rows, width);
        const wantDx = layerNormDx(dx, dy, x, w, eps);
        const want = layerNormDw({ dw, db }, dy, x, eps);
        run.forward(0, rows);
        run.backwardX(0, rows);
        run.backwardW(0, width);
        bed.check(mean, moments(x, width, eps).mean, width + 1);
        bed.check(inv, moments(x, width, eps).inv, width + 6);
        bed.check(y, layerNorm(x, w, b, eps), width + 8);
        bed.check(dx, wantDx, 2 * width + 12);
        bed.check(dw, want.dw, rows + width + 8);
        bed.check(db, want.db, rows + 1);
      }
    }
  });

  test(`layer_norm_f32 (${build}) does without a shift and without keeping mean and inv`, () => {
    const { bed, x, w, y } = prepare(build, 3, 5);
    bed.kernels.layer_norm_f32(y.byteOffset, 0, 0, x.byteOffset, w.byteOffset, 0, 5, eps, 0, 3);
    bed.check(y, layerNorm(x, w, null, eps), 13);
  });

  test(`layer_norm_f32_dw (${build}) gives dw without db and db without dw`, () => {
    const { bed, x, dy, dw, db, forward, backwardW } = prepare(build, 3, 5);
    const want = layerNormDw({ dw, db }, dy, x, eps);
    forward(0, 3);
    const dbBefore = Array.from(db);
    backwardW(0, 5, dw.byteOffset, 0);
    expect(Array.from(db)).toEqual(dbBefore);
    bed.check(dw, want.dw, 16);
    backwardW(0, 5, 0, db.byteOffset);
    bed.check(dw, want.dw, 16);
    bed.check(db, want.db, 4);
  });

  test(`layer_norm_f32 and its gradients (${build}) give the same bits in one call and in ranges`, () => {
    const [rows, width] = [7, 37];
    const byRow = (e: number) => Math.floor(e / width);
    const same = (i: number) => i;
    checkRanges(rows, () => {
      const { forward, y, mean, inv } = prepare(build, rows, width);
      return {
        run: forward,
        outputs: [
          [y, byRow],
          [mean, same],
          [inv, same],
        ],
      };
    });
    checkRanges(rows, () => {
      const { forward, backwardX, dx } = prepare(build, rows, width);
      forward(0, rows);
      return { run: backwardX, outputs: [[dx, byRow]] };
    });
    checkRanges(width, () => {
      const { forward, backwardW, dw, db } = prepare(build, rows, width);
      forward(0, rows);
      return {
        run: backwardW,
        outputs: [
          [dw, same],
          [db, same],
        ],
      };
    });
  });
}
