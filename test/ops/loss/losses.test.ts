import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { binaryCrossEntropy, squaredError } from "../../../src/ops/loss/losses.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

const targets = Float32Array.of(0, 1, 0.25, 1, 0, 0.75);
const run = (gym: Gym, op: (tape: Tape) => Value) => Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));

for (const build of builds) {
  test(`binaryCrossEntropy (${build}) is −t·ln σ(x) − (1 − t)·ln(1 − σ(x)), with a gradient of each loss's own`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [2, 3]);
    const op = (tape: Tape) => binaryCrossEntropy(leaf(tape, x), targets);
    const want = Array.from(x.values(), (v, i) => {
      const p = 1 / (1 + Math.exp(-v));
      return -targets[i]! * Math.log(p) - (1 - targets[i]!) * Math.log(1 - p);
    });
    expectClose("losses", run(gym, op), want, 1e-6, 1e-6);
    expectGradients(gym.engine, [x], op);
  });

  test(`squaredError (${build}) is (x − t)², with a gradient of each loss's own`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [2, 3]);
    const op = (tape: Tape) => squaredError(leaf(tape, x), targets);
    const want = Array.from(x.values(), (v, i) => (v - targets[i]!) ** 2);
    expectClose("losses", run(gym, op), want, 1e-6, 1e-6);
    expectGradients(gym.engine, [x], op);
  });
}

test("binaryCrossEntropy stays finite where a logit is far from its target", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [1, 2]);
  x.values().set([1000, -1000]);
  const losses = run(gym, (tape) => binaryCrossEntropy(leaf(tape, x), Float32Array.of(0, 1)));
  expect(Array.from(losses)).toEqual([1000, 1000]);
});

test("losses by element refuse another number of targets", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [2, 2]);
  for (const op of [binaryCrossEntropy, squaredError]) {
    const call = () => Tape.plan(gym.engine, {}, (tape) => op(leaf(tape, x), targets));
    expect(call).toThrow(ShapeError);
    expect(call).toThrow("predictions [2, 2] need 4 targets, found 6");
  }
});
