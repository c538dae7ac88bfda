import { expect, test } from "vitest";
import { logSoftmax } from "../../../src/ops/loss/log-softmax.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

for (const build of builds) {
  test(`logSoftmax (${build}) is that of f64 row by row, with its gradient, also of large numbers`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [4, 5]);
    x.values()[7] = 90;
    const want = Array.from(x.values(), (v, e) => {
      const row = x.values().subarray(e - (e % 5), e - (e % 5) + 5);
      const largest = Math.max(...row);
      return v - largest - Math.log(row.reduce((sum, w) => sum + Math.exp(w - largest), 0));
    });
    const op = (tape: Tape) => logSoftmax(leaf(tape, x));
    expectClose("values", run(gym, op), want, 1e-6, 1e-6);
    x.values()[7] = 2;
    expectGradients(gym.engine, [x], op);
  });
}

test("logSoftmax refuses what is no matrix", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [4]);
  expect(() => Tape.plan(gym.engine, {}, (tape) => logSoftmax(leaf(tape, x)))).toThrow("logSoftmax: expected a matrix");
});
