import { test } from "vitest";
import { multiplyElements, scaleBy } from "../../../src/ops/pointwise/elementwise.ts";
import type { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

for (const build of builds) {
  test(`multiplyElements (${build}) multiplies, and its gradient reaches either or both factors, twice where they are one`, async () => {
    using gym = await Gym.open(build);
    const [a, b] = [gym.param("a", [3, 5]), gym.param("b", [3, 5])];
    const op = (tape: Tape) => multiplyElements(leaf(tape, a), leaf(tape, b));
    const want = a.values().map((v, i) => v * b.values()[i]!);
    expectClose("product", run(gym, op), want, 0, 1e-7);
    expectGradients(gym.engine, [a, b], op);
    expectGradients(gym.engine, [a], (tape) => {
      const x = leaf(tape, a);
      return multiplyElements(x, x);
    });
    b.setTrainable(false);
    expectGradients(gym.engine, [a], op);
  });

  test(`scaleBy (${build}) multiplies by one number, and so does its gradient`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [3, 5]);
    const op = (tape: Tape) => scaleBy(leaf(tape, x), -0.75);
    const want = x.values().map((v) => -0.75 * v);
    expectClose("scaleBy", run(gym, op), want, 0, 1e-7);
    expectGradients(gym.engine, [x], op);
  });
}
