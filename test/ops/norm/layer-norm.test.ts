import { expect, test } from "vitest";
import { layerNorm } from "../../../src/ops/norm/layer-norm.ts";
import { rmsNorm } from "../../../src/ops/norm/rms-norm.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { layerNorm as layerNormed } from "../../reference/layer-norm.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

for (const build of builds) {
  test(`layerNorm (${build}) norms rows, with the gradients of x, of weight and bias, and of either alone`, async () => {
    using gym = await Gym.open(build);
    const [x, w, b] = [gym.param("x", [3, 7]), gym.param("w", [7]), gym.param("b", [7])];
    const op = (tape: Tape) => layerNorm(leaf(tape, x), w, b, 1e-5);
    const y = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
    expectClose("layerNorm", y, layerNormed(x.values(), w.values(), b.values(), 1e-5).values, 1e-6, 2e-6);
    expectGradients(gym.engine, [x, w, b], op);
    w.setTrainable(false);
    expectGradients(gym.engine, [x, b], op);
    w.setTrainable(true);
    b.setTrainable(false);
    expectGradients(gym.engine, [w], op);
  });
}

test("norms name the weight whose length does not fit", async () => {
  using gym = await Gym.open("baseline");
  const [x, w] = [gym.param("x", [3, 7]), gym.frozen("model.norm.weight", [5])];
  for (const op of [(t: Tape) => rmsNorm(leaf(t, x), w, 1e-5), (t: Tape) => layerNorm(leaf(t, x), w, w, 1e-5)]) {
    expect(() => Tape.plan(gym.engine, {}, op)).toThrow('input of "model.norm.weight": last axis of [3, 7] must be 5');
  }
});
