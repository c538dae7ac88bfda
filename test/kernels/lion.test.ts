import { expect, test } from "vitest";
import { type LionStep, lion } from "../reference/lion.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const step: LionStep = { gradScale: 0.75, lr: 0.01, beta1: 0.9, beta2: 0.99, weightDecay: 0.1 };

function prepare(build: string, n: number) {
  const bed = new Bed(build, n);
  const [p, g, m] = [bed.random(n, 2), bed.random(n), bed.random(n, 0.1)];
  const run = (start: number, end: number, { gradScale, lr, beta1, beta2, weightDecay }: LionStep = step) => {
    const rates = [gradScale, lr, beta1, beta2, weightDecay] as const;
    bed.kernels.lion_f32(p.byteOffset, g.byteOffset, m.byteOffset, ...rates, start, end);
  };
  return { bed, p, g, m, run };
}

for (const build of builds) {
  test(`lion_f32 (${build}) matches f64 for every tail`, () => {
    for (const n of around4) {
      for (const given of [step, { ...step, weightDecay: 0, beta1: 0.5 }]) {
        const { bed, p, g, m, run } = prepare(build, n);
        const want = lion(p, g, m, given);
        run(0, n, given);
        bed.check(p, want.p, 4);
        bed.check(m, want.m, 4);
      }
    }
  });

  test(`lion_f32 (${build}) leaves alone what has neither gradient nor momentum`, () => {
    const { p, g, m, run } = prepare(build, 5);
    g.fill(0);
    m.fill(0);
    const before = Array.from(p);
    run(0, 5, { ...step, weightDecay: 0 });
    expect(Array.from(p)).toEqual(before);
  });

  test(`lion_f32 (${build}) gives the same bits in one call and in ranges`, () => {
    const same = (i: number) => i;
    checkRanges(37, () => {
      const { p, m, run } = prepare(build, 37);
      return {
        run,
        outputs: [
          [p, same],
          [m, same],
        ],
      };
    });
  });
}

test("lion_f32 gives the same bits in all builds", () => {
  const results = builds.map((build) => {
    const { p, m, run } = prepare(build, 37);
    run(0, 37);
    return [Array.from(p), Array.from(m)];
  });
  for (const result of results) expect(result).toEqual(results[0]);
});
