import { expect, test } from "vitest";
import { dropout } from "../../../src/ops/pointwise/dropout.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { maskFactors } from "../../reference/dropout.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

for (const build of builds) {
  test(`dropout (${build}) masks by the step's seed and the op's number in training, and is the identity outside it`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [6, 9]);
    const op = (tape: Tape) => dropout(dropout(leaf(tape, x), 0.25), 0.5);
    const p = [Math.fround(0.25), Math.fround(0.5)];
    const factors = p.map((each, stream) => maskFactors(x.size, { p: each, seed: [0, 0], stream }));
    expect(Array.from(run(gym, op))).toEqual(Array.from(x.values()));
    expectClose(
      "dropout",
      run(gym, op, true),
      x.values().map((v, i) => v * factors[0]![i]! * factors[1]![i]!),
      0,
      1e-6,
    );
    expectGradients(gym.engine, [x], op, { training: true });
    Tape.once(gym.engine, { training: true }, (tape) => {
      const given = leaf(tape, x);
      expect(dropout(given, 0)).toBe(given);
    });
  });
}
