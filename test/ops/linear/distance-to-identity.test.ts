import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { distanceToIdentity } from "../../../src/ops/linear/distance-to-identity.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

for (const build of builds) {
  test(`distanceToIdentity (${build}) is the Frobenius norm of x − I; at I its gradient is zero, not NaN`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [4, 4]);
    const op = (tape: Tape) => distanceToIdentity(leaf(tape, x));
    const want = Math.hypot(...Array.from(x.values(), (value, i) => value - (i % 5 === 0 ? 1 : 0)));
    expectClose(
      "distance",
      Tape.once(gym.engine, {}, (tape) => tape.download(op(tape))),
      [want],
      0,
      1e-6,
    );
    expectGradients(gym.engine, [x], op);
    x.values().set(Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0)));
    x.gradient().fill(0);
    Tape.once(gym.engine, { recording: true }, (tape) => tape.backward(op(tape), 1));
    expect(Array.from(x.gradient())).toEqual(new Array(16).fill(0));
    const wide = gym.param("wide", [2, 3]);
    expect(() => Tape.once(gym.engine, {}, (tape) => distanceToIdentity(leaf(tape, wide)))).toThrow(ShapeError);
  });
}
