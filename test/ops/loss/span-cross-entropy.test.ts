import { expect, test } from "vitest";
import { spanCrossEntropy } from "../../../src/ops/loss/span-cross-entropy.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

const starts = Int32Array.of(0, 3, 4, 9);
const targets = [1, 2, 0, 0, 4, 7]; // the last lies outside its sequence

/** By the definition, in f64. */
function losses(scores: ArrayLike<number>): number[] {
  return targets.map((target, i) => {
    const [start, end] = [starts[i >> 1]!, starts[(i >> 1) + 1]!];
    if (start + target >= end) return 0;
    const column = Array.from({ length: end - start }, (_, t) => scores[2 * (start + t) + (i & 1)]!);
    return Math.log(column.reduce((sum, x) => sum + Math.exp(x), 0)) - column[target]!;
  });
}

for (const build of builds) {
  test(`spans (${build}) are a softmax over the rows of each sequence, a target outside counts for nothing`, async () => {
    using gym = await Gym.open(build);
    const scores = gym.param("scores", [9, 2]);
    const run = (tape: Tape) => spanCrossEntropy(leaf(tape, scores), starts, targets);
    const got = Tape.once(gym.engine, {}, (tape) => tape.download(run(tape)));
    losses(scores.values()).forEach((want, i) => {
      expect(Math.abs(got[i]! - want), `loss ${i}`).toBeLessThan(1e-6);
    });
    expectGradients(gym.engine, [scores], run);
  });
}
