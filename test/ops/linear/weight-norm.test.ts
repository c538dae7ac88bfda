import { expect, test } from "vitest";
import { scaleColumns } from "../../../src/ops/layout/columns.ts";
import { foldLowRank, foldOutputScale } from "../../../src/ops/linear/fold.ts";
import type { Stored } from "../../../src/ops/linear/linear.ts";
import { constantRow, type LowRankPair, magnitudeOverNorm, WeightNorms } from "../../../src/ops/linear/weight-norm.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { readElements } from "../../../src/tensor/elements.ts";
import type { Weight } from "../../../src/tensor/tensor.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

const [width, out] = [6, 5];
const stores: readonly Stored[] = ["out-in", "in-out"];
const shapeOf = (stored: Stored) => (stored === "out-in" ? [out, width] : [width, out]);
const pairs = (gym: Gym): LowRankPair[] =>
  [2, 3].map((r) => ({ a: gym.param("a", [r, width]), b: gym.param("b", [out, r]), scale: 1.5 - r }));

/** W + Σ s·B·A in f64, in the order in which W is stored. */
function adapted(gym: Gym, weight: Weight, stored: Stored, changes: readonly LowRankPair[]): Float64Array {
  const w = Float64Array.from(readElements(gym.engine.memory, weight));
  return w.map((value, e) => {
    const [i, j] = stored === "out-in" ? [Math.floor(e / width), e % width] : [e % out, Math.floor(e / out)];
    let sum = value;
    for (const { a, b, scale } of changes) {
      const r = a.shape[0]!;
      for (let k = 0; k < r; k++) sum += scale * b.values()[i * r + k]! * a.values()[k * width + j]!;
    }
    return sum;
  });
}

for (const build of builds) {
  for (const stored of stores) {
    test.each(["f32", "f16", "bf16"] as const)(
      `norms (${build}) of a weight stored ${stored} in %s are those of W + Σ s·B·A`,
      async (dtype) => {
        using gym = await Gym.open(build);
        const weight = gym.frozen("w", shapeOf(stored), dtype);
        const changes = pairs(gym);
        const norms = new WeightNorms(() => weight, stored, changes);
        const check = () => {
          const want = new Float64Array(out);
          adapted(gym, weight, stored, changes).forEach((v, e) => {
            want[stored === "out-in" ? Math.floor(e / width) : e % out]! += v * v;
          });
          expectClose(
            "norms",
            Tape.once(gym.engine, {}, (tape) => norms.compute(tape)),
            want.map(Math.sqrt),
            0,
            1e-5,
          );
        };
        check();
        changes[0]!.b.values()[3]! += 0.5;
        check();
        const { memory } = gym.engine;
        if (dtype === "f32") memory.f32(weight.ptr, 1)[0] = 3;
        else memory.u16(weight.ptr, 1)[0] = dtype === "f16" ? 0x4200 : 0x4040;
        norms.forget();
        check();
      },
    );

    test(`foldLowRank (${build}) of a weight stored ${stored}, a few rows at a time, is W + s·B·A`, async () => {
      using gym = await Gym.open(build);
      const weight = gym.frozen("w", shapeOf(stored));
      const [first, second] = weight.shape as [number, number];
      for (const change of pairs(gym)) {
        const want = adapted(gym, weight, stored, [change]);
        for (let start = 0; start < first; start += 2) {
          const end = Math.min(start + 2, first);
          Tape.once(gym.engine, {}, (tape) => {
            foldLowRank(
              { tape, ptr: (weight.ptr + start * second * 4) as typeof weight.ptr, start, end },
              stored,
              change,
            );
          });
        }
        expectClose("folded", gym.engine.memory.f32(weight.ptr, width * out), want, 1e-6, 1e-6);
      }
    });

    test(`foldOutputScale (${build}) scales the output features of a weight stored ${stored}`, async () => {
      using gym = await Gym.open(build);
      const weight = gym.frozen("w", shapeOf(stored));
      const before = readElements(gym.engine.memory, weight);
      const c = Float64Array.from({ length: out }, (_, i) => i - 1.5);
      const [first, columns] = weight.shape as [number, number];
      Tape.once(gym.engine, {}, (tape) => {
        for (const [start, end] of [
          [0, 2],
          [2, first],
        ] as const) {
          foldOutputScale(
            { tape, ptr: (weight.ptr + start * columns * 4) as typeof weight.ptr, start, end },
            stored,
            columns,
            c,
          );
        }
      });
      const want = before.map((v, e) => v * c[stored === "out-in" ? Math.floor(e / width) : e % out]!);
      expect(Array.from(readElements(gym.engine.memory, weight))).toEqual(Array.from(want));
    });
  }

  test(`magnitudeOverNorm (${build}) is m / n, and its gradient reaches m alone`, async () => {
    using gym = await Gym.open(build);
    const [x, m] = [gym.param("x", [4, out]), gym.param("m", [out])];
    const norms = Float64Array.from({ length: out }, (_, i) => i + 1);
    const c = Tape.once(gym.engine, {}, (tape) => tape.download(magnitudeOverNorm(tape, m, norms)));
    expectClose(
      "m / n",
      c,
      m.values().map((v, i) => v / norms[i]!),
      1e-7,
      1e-6,
    );
    expectGradients(gym.engine, [x, m], (tape) => scaleColumns(leaf(tape, x), magnitudeOverNorm(tape, m, norms)));
    expectGradients(gym.engine, [x], (tape) => scaleColumns(leaf(tape, x), constantRow(tape, out, 0.75)));
  });
}
