import { test } from "vitest";
import { rmsNorm } from "../../../src/ops/norm/rms-norm.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { rmsNorm as rmsNormed } from "../../reference/rms-norm.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

for (const build of builds) {
  test(`rmsNorm (${build}) norms rows, or each head of a row, with the gradients of x and of a trained weight`, async () => {
    using gym = await Gym.open(build);
    const [x, w, fixed] = [gym.param("x", [3, 10]), gym.param("w", [5]), gym.frozen("fixed", [10])];
    const op = (tape: Tape) => rmsNorm(leaf(tape, x), w, 1e-5);
    const y = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
    expectClose("rmsNorm", y, rmsNormed(x.values(), w.values(), 1e-5).values, 1e-6, 1e-6);
    expectGradients(gym.engine, [x, w], op);
    expectGradients(gym.engine, [x], (tape) => rmsNorm(leaf(tape, x), fixed, 1e-5));
  });

  test(`rmsNorm (${build}) of a frozen input trains its weight alone`, async () => {
    using gym = await Gym.open(build);
    const [x, w] = [gym.param("x", [3, 5], false), gym.param("w", [5])];
    expectGradients(gym.engine, [w], (tape) => rmsNorm(leaf(tape, x), w, 1e-5));
  });
}
