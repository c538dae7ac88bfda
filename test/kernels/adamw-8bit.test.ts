import { expect, test } from "vitest";
import { dynamicTable } from "../../src/optim/dynamic-levels.ts";
import { adamw, type Step } from "../reference/adamw.ts";
import { decoded, largest, levels } from "../reference/adamw-8bit.ts";
import { Bed, builds } from "./bed.ts";
import { checkRanges } from "./ranges.ts";

const step: Step = { gradScale: 0.75, lr: 0.01, beta1: 0.9, beta2: 0.99, eps: 1e-6, weightDecay: 0.1, t: 3 };
const [signed, unsigned] = [levels(true), levels(false)];

function prepare(build: string, n: number, width: number) {
  const bed = new Bed(build, n);
  const blocks = Math.ceil(n / width);
  const [p, g] = [bed.random(n, 2), bed.random(n)];
  g.forEach((x, i) => {
    g[i] = x * 10 ** -(i % 4);
  });
  const code = (_: unknown, i: number) => (i * 37) % 256;
  const [m, v] = [bed.bytes(Array.from({ length: n }, code)), bed.bytes(Array.from({ length: n }, code))];
  const [scaleM, scaleV] = [bed.from(bed.random(blocks).map(Math.abs)), bed.from(bed.random(blocks).map(Math.abs))];
  const table = bed.bytes(dynamicTable());
  const workspace = bed.scratch(bed.kernels.adamw_8bit_workspace(width));
  const at = [p, g, m, v, scaleM, scaleV, table].map((a) => a.byteOffset);
  const { gradScale, lr, beta1, beta2, eps, weightDecay, t } = step;
  const rates = [gradScale, lr, beta1, beta2, eps, weightDecay, 1 - beta1 ** t, 1 - beta2 ** t] as const;
  const run = (start: number, end: number) => {
    const [a, b, c, d, e, f, h] = at as [number, number, number, number, number, number, number];
    bed.kernels.adamw_8bit(a, b, c, d, e, f, h, n, width, ...rates, workspace, start, end);
  };
  return { bed, blocks, p, g, m, v, scaleM, scaleV, run };
}

/** Fails unless each number has the code of the level next to it; numbers beside a middle may have either. */
function expectNearest(
  codes: Uint8Array,
  values: ArrayLike<number>,
  scales: readonly number[],
  width: number,
  among: readonly number[],
) {
  for (const [i, code] of codes.entries()) {
    const share = values[i]! / scales[Math.floor(i / width)]!;
    const error = Math.abs(among[code]! - share);
    const least = Math.min(...among.map((level) => Math.abs(level - share)));
    if (!(error <= least + 1e-5 * Math.abs(share))) {
      expect.fail(`[${i}]: ${share} has code ${code} (${among[code]}), ${error} away; the nearest is ${least} away`);
    }
  }
}

for (const build of builds) {
  test(`adamw_8bit (${build}) moves as f64 does from the decoded moments, and codes the new ones, for every tail`, () => {
    for (const [n, width] of [
      [1, 256],
      [63, 16],
      [256, 256],
      [514, 256],
      [1027, 256],
    ] as const) {
      const { bed, blocks, p, g, m, v, scaleM, scaleV, run } = prepare(build, n, width);
      const want = adamw(p, g, decoded(m, scaleM, signed, width), decoded(v, scaleV, unsigned, width), step);
      const [m1, v1] = [Array.from(want.m.values), Array.from(want.v.values)];
      run(0, blocks);
      bed.check(p, want.p, 12);
      const [newM, newV] = [largest(m1, width), largest(v1, width)];
      bed.check(scaleM, { values: newM, magnitudes: newM }, 8);
      bed.check(scaleV, { values: newV, magnitudes: newV }, 8);
      expectNearest(m, m1, newM, width, signed);
      expectNearest(v, v1, newV, width, unsigned);
    }
  });

  test(`adamw_8bit (${build}) keeps zeros at zero, and never stores a second moment that is not zero as zero`, () => {
    const { p, g, m, v, scaleM, scaleV, run } = prepare(build, 8, 256);
    m.fill(0);
    v.fill(0);
    scaleM.fill(0);
    scaleV.fill(0);
    g.fill(0);
    run(0, 1);
    expect(Array.from(m)).toEqual(Array(8).fill(127));
    expect(Array.from(v)).toEqual(Array(8).fill(0));
    g.set([1, -1, 1e-6, -1e-6, 0, 1e-30, 0.5, 0]); // (1e-30)² is 0 in f32
    run(0, 1);
    expect(Array.from(v).map((code) => Math.min(code, 2))).toEqual([2, 2, 1, 1, 0, 0, 2, 0]);
    expect(m[0]).toBe(255);
    expect(m[1]).toBe(0);
    expect(p.every(Number.isFinite)).toBe(true);
  });

  test(`adamw_8bit (${build}) gives the same bits in one call and in ranges`, () => {
    const width = 16;
    const block = (i: number) => Math.floor(i / width);
    const same = (i: number) => i;
    checkRanges(9, () => {
      const { p, m, v, scaleM, scaleV, run } = prepare(build, 131, width);
      return {
        run,
        outputs: [
          [p, block],
          [m, block],
          [v, block],
          [scaleM, same],
          [scaleV, same],
        ],
      };
    });
  });
}

test("adamw_8bit gives the same bits in all builds", () => {
  const results = builds.map((build) => {
    const { blocks, p, m, v, scaleM, run } = prepare(build, 515, 256);
    run(0, blocks);
    return [p, m, v, scaleM].map((a) => Array.from(a));
  });
  for (const result of results) expect(result).toEqual(results[0]);
});
