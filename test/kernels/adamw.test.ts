import { expect, test } from "vitest";
import { adamw, type Step } from "../reference/adamw.ts";
import { around4, Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const step: Step = { gradScale: 0.75, lr: 0.01, beta1: 0.9, beta2: 0.99, eps: 1e-6, weightDecay: 0.1, t: 3 };

function prepare(build: string, n: number) {
  const bed = new Bed(build, n);
  const p = bed.random(n, 2);
  const g = bed.random(n);
  const m = bed.random(n, 0.1);
  const v = bed.from(bed.random(n, 0.1).map(Math.abs));
  const at = [p, g, m, v].map((a) => a.byteOffset) as [number, number, number, number];
  const run = (start: number, end: number, { gradScale, lr, beta1, beta2, eps, weightDecay, t }: Step = step) =>
    bed.kernels.adamw_f32(
      ...at,
      gradScale,
      lr,
      beta1,
      beta2,
      eps,
      weightDecay,
      1 - beta1 ** t,
      1 - beta2 ** t,
      start,
      end,
    );
  return { bed, p, g, m, v, run };
}

/**
 * Four steps of torch 2.13.0 on the CPU:
 *
 *   p = torch.nn.Parameter(torch.tensor([1.0, -0.5, 0.25, 2.0, -3.0]))
 *   opt = torch.optim.AdamW([p], lr=0.01, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.1)
 *   for t in range(4):
 *       p.grad = torch.tensor([0.5, -1.0, 2.0, 1e-4, 0.0]) * (1.5 - t)
 *       p.grad.mul_(torch.tensor(0.75))
 *       opt.step()
 */
const torch = {
  start: [1, -0.5, 0.25, 2, -3],
  gradient: [0.5, -1, 2, 1e-4, 0],
  p: [
    [0.989000022, -0.489500016, 0.239750013, 1.98808813, -2.99699998],
    [0.979284644, -0.480284065, 0.23078382, 1.97747672, -2.99400306],
    [0.973798871, -0.475297302, 0.226046532, 1.97105491, -2.991009],
    [0.973999381, -0.475996256, 0.226994738, 1.97024429, -2.98801804],
  ],
  m: [-0.0169312526, 0.0338625051, -0.0677250102, -3.38625e-6, 0],
  v: [0.00692676194, 0.0277070478, 0.110828191, 2.77070478e-10, 0],
};

for (const build of builds) {
  test(`adamw_f32 (${build}) matches f64 for every tail`, () => {
    for (const n of around4) {
      for (const options of [
        step,
        { ...step, weightDecay: 0, t: 1 },
        { ...step, gradScale: 1, beta2: 0.999, t: 1000 },
      ]) {
        const { bed, p, g, m, v, run } = prepare(build, n);
        const want = adamw(p, g, m, v, options);
        const before = Array.from(g);
        run(0, n, options);
        bed.check(p, want.p, 8);
        bed.check(m, want.m, 4);
        bed.check(v, want.v, 5);
        expect(Array.from(g)).toEqual(before);
      }
    }
  });

  test(`four steps of adamw_f32 (${build}) are those of torch`, () => {
    const { p, g, m, v, run } = prepare(build, 5);
    p.set(torch.start);
    m.fill(0);
    v.fill(0);
    // torch fuses some multiplications with additions: a difference of a unit in the last place per operation remains.
    const near = (got: Float32Array, want: number[], units: number) => {
      for (const [i, x] of got.entries()) {
        expect(Math.abs(x - want[i]!)).toBeLessThanOrEqual(units * 2 ** -23 * Math.abs(want[i]!));
      }
    };
    for (let t = 1; t <= 4; t++) {
      g.set(torch.gradient.map((x) => Math.fround(Math.fround(x) * (2.5 - t))));
      run(0, 5, { ...step, t });
      near(p, torch.p[t - 1]!, 2);
    }
    near(m, torch.m, 8); // the last two gradients all but cancel the first
    near(v, torch.v, 4);
  });

  test(`adamw_f32 (${build}) gives the same bits in one call and in ranges`, () => {
    const same = (i: number) => i;
    checkRanges(37, () => {
      const { p, m, v, run } = prepare(build, 37);
      return {
        run,
        outputs: [
          [p, same],
          [m, same],
          [v, same],
        ],
      };
    });
  });
}

test("adamw_f32 gives the same bits in all builds", () => {
  const results = builds.map((build) => {
    const { p, m, v, run } = prepare(build, 37);
    run(0, 37);
    return [p, m, v].map((a) => Array.from(a));
  });
  for (const result of results) expect(result).toEqual(results[0]);
});
