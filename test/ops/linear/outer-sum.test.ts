import { expect, test } from "vitest";
import { addOuter } from "../../../src/ops/linear/outer-sum.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { Param } from "../../../src/tensor/tensor.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import { LOW_RANK_ROWS } from "../../../src/wasm/generated/constants.ts";

const [width, r, scale] = [12, 3, 0.7];

/** The bits of scale·uᵀ·x, added to a gradient of ones in parts of so many rows. */
async function sumInParts(counts: readonly number[], layout: 0 | 1): Promise<Int32Array> {
  using engine = await createEngine({ build: "baseline", threads: 1 });
  const param = new Param(engine.memory, "a", layout ? [r, width] : [width, r]);
  param.setTrainable(true);
  param.gradient().fill(1);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const numbers = (size: number, step: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(step * i));
  const [u, x] = [numbers(total * r, 0.3), numbers(total * width, 0.7)];
  Tape.once(engine, { recording: true }, (tape) => {
    let before = 0;
    for (const rows of counts) {
      tape.begin({ rows, before, last: before + rows === total });
      const own = (all: Float32Array, columns: number) =>
        tape.upload(all.subarray(before * columns, (before + rows) * columns));
      addOuter(tape, param, { u: own(u, r), x: own(x, width), rows, width, r, scale, layout });
      before += rows;
    }
  });
  return new Int32Array(param.gradient().slice().buffer);
}

test.each([0, 1] as const)("a sum in parts has the bits of the whole, layout %i", async (layout) => {
  const run = LOW_RANK_ROWS;
  for (const counts of [
    [run, 2 * run],
    [run - 1, 1, run],
    [5, 7, run - 12, 3],
    [5, 3 * run, 2],
    [run + 1, 1, 2 * run + 60, run - 61],
    [1, 1],
  ]) {
    const total = counts.reduce((sum, count) => sum + count, 0);
    expect(await sumInParts(counts, layout), `${counts}`).toEqual(await sumInParts([total], layout));
  }
});
