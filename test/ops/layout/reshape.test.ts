import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { reshape } from "../../../src/ops/layout/reshape.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

for (const build of builds) {
  test(`reshape (${build}) keeps the numbers in order, and refuses another size`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [4, 3]);
    const run = () => Tape.once(gym.engine, {}, (tape) => tape.download(reshape(leaf(tape, x), [2, 6])));
    expect(run()).toEqual(x.values().slice());
    expectGradients(gym.engine, [x], (tape) => reshape(leaf(tape, x), [2, 6]));
    expect(() => Tape.once(gym.engine, {}, (tape) => reshape(leaf(tape, x), [5, 2]))).toThrow(ShapeError);
  });
}
