import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { scaleSequences } from "../../../src/ops/pointwise/scale-sequences.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

for (const build of builds) {
  test(`scaleSequences (${build}) multiplies the rows of a sequence by its factor, with both gradients`, async () => {
    using gym = await Gym.open(build);
    const [x, c] = [gym.param("x", [6, 5]), gym.param("c", [3, 1])];
    const starts = Int32Array.of(0, 2, 2, 6); // the second has no rows
    const op = (tape: Tape) => scaleSequences(leaf(tape, x), leaf(tape, c), starts);
    const want = x.values().map((value, i) => value * c.values()[i < 10 ? 0 : 2]!);
    expectClose(
      "scaled",
      Tape.once(gym.engine, {}, (tape) => tape.download(op(tape))),
      want,
      1e-7,
      1e-7,
    );
    expectGradients(gym.engine, [x, c], op);
    c.setTrainable(false);
    expectGradients(gym.engine, [x], op);
    expect(() =>
      Tape.once(gym.engine, {}, (tape) => scaleSequences(leaf(tape, x), leaf(tape, c), Int32Array.of(0, 6))),
    ).toThrow(ShapeError);
  });
}
