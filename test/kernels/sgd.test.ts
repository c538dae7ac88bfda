import { expect, test } from "vitest";
import { type SgdStep, sgd } from "../reference/sgd.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const step: SgdStep = { gradScale: 0.75, lr: 0.1, momentum: 0.9, gain: 0.5, weightDecay: 0.1, nesterov: false };
const steps: SgdStep[] = [
  step,
  { ...step, nesterov: true, gain: 1 },
  { ...step, weightDecay: 0, momentum: 0, gradScale: 1 },
];

function prepare(build: string, n: number) {
  const bed = new Bed(build, n);
  const [p, g, b] = [bed.random(n, 2), bed.random(n), bed.random(n)];
  const run = (start: number, end: number, given = step, buffer = b.byteOffset) => {
    const { gradScale, lr, momentum, gain, weightDecay, nesterov } = given;
    const rates = [gradScale, lr, momentum, gain, weightDecay] as const;
    bed.kernels.sgd_f32(p.byteOffset, g.byteOffset, buffer, ...rates, nesterov, start, end);
  };
  return { bed, p, g, b, run };
}

for (const build of builds) {
  test(`sgd_f32 (${build}) matches f64 for every tail`, () => {
    for (const n of around4) {
      for (const given of steps) {
        const { bed, p, g, b, run } = prepare(build, n);
        const want = sgd(p, g, b, given);
        run(0, n, given);
        bed.check(p, want.p, 6);
        bed.check(b, want.b, 5);
      }
    }
  });

  test(`sgd_f32 (${build}) without a buffer moves along the gradient`, () => {
    const { bed, p, g, b, run } = prepare(build, 37);
    const want = sgd(p, g, null, step);
    const before = Array.from(b);
    run(0, 37, step, 0);
    bed.check(p, want.p, 5);
    expect(Array.from(b)).toEqual(before);
  });

  test(`sgd_f32 (${build}) gives the same bits in one call and in ranges`, () => {
    const same = (i: number) => i;
    checkRanges(37, () => {
      const { p, b, run } = prepare(build, 37);
      return {
        run,
        outputs: [
          [p, same],
          [b, same],
        ],
      };
    });
  });
}

test("sgd_f32 gives the same bits in all builds", () => {
  const results = builds.map((build) => {
    const { p, b, run } = prepare(build, 37);
    run(0, 37);
    return [Array.from(p), Array.from(b)];
  });
  for (const result of results) expect(result).toEqual(results[0]);
});
