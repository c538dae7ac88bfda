/** Skew-symmetric blocks, inverses, and the rotations made of them. */
import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { cayley, cayleySeries } from "../../../src/ops/linear/cayley.ts";
import { inverseBlocks } from "../../../src/ops/linear/inverse.ts";
import { skewBlocks } from "../../../src/ops/linear/skew.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";
import { blocksOf, identity, multiplied, SIZE, sum, triangles } from "../squares.ts";

for (const build of builds) {
  test(`cayley (${build}) is orthogonal, solves R·(I + Q) = I − Q, and has its gradient`, async () => {
    using gym = await Gym.open(build);
    const upper = triangles(gym);
    const skew = blocksOf(run(gym, (tape) => skewBlocks(tape, upper, SIZE)));
    const op = (tape: Tape) => cayley(skewBlocks(tape, upper, SIZE));
    blocksOf(run(gym, op)).forEach((rotation, b) => {
      expectClose("R·(I + Q)", multiplied(rotation, sum(identity, skew[b]!, 1)), sum(identity, skew[b]!, -1), 1e-6, 0);
      const turned = rotation.map((_, e) => rotation[(e % SIZE) * SIZE + Math.floor(e / SIZE)]!);
      expectClose("R·Rᵀ", multiplied(rotation, turned), identity, 1e-6, 0);
    });
    expectGradients(gym.engine, [upper], op);
  });

  test.each([0, 1, 2, 3, 4, 7])(
    `cayleySeries (${build}) of degree %d is the sum of its powers, with the gradient`,
    async (degree) => {
      using gym = await Gym.open(build);
      const upper = triangles(gym);
      const skew = blocksOf(run(gym, (tape) => skewBlocks(tape, upper, SIZE)));
      const op = (tape: Tape) => cayleySeries(skewBlocks(tape, upper, SIZE), degree);
      blocksOf(run(gym, op)).forEach((rotation, b) => {
        let [want, power] = [identity, identity];
        for (let k = 1; k <= degree; k++) {
          power = multiplied(power, skew[b]!);
          want = sum(want, power, k === degree && degree > 1 ? 1 : 2);
        }
        expectClose("series", rotation, want, 1e-6, 1e-6);
      });
      if (degree > 0) expectGradients(gym.engine, [upper], op);
    },
  );
}

test("a long series turns the opposite way from the exact transform", async () => {
  using gym = await Gym.open("baseline");
  const upper = triangles(gym);
  const exact = blocksOf(run(gym, (tape) => cayley(skewBlocks(tape, upper, SIZE))));
  const series = blocksOf(run(gym, (tape) => cayleySeries(skewBlocks(tape, upper, SIZE), 60)));
  for (const [b, rotation] of series.entries()) expectClose("R·R'", multiplied(rotation, exact[b]!), identity, 1e-5, 0);
});

test("blocks of another size than the triangles, and matrices that are not square, are refused", async () => {
  using gym = await Gym.open("baseline");
  const upper = triangles(gym);
  const plan = (op: (tape: Tape) => Value) => () => Tape.plan(gym.engine, {}, (tape) => void op(tape));
  expect(plan((tape) => skewBlocks(tape, upper, 5))).toThrow(ShapeError);
  expect(plan((tape) => skewBlocks(tape, upper, 5))).toThrow(
    '"upper" [2, 6] does not hold the triangles of blocks of 5',
  );
  expect(plan((tape) => inverseBlocks(leaf(tape, upper)))).toThrow("[2, 6] does not hold square blocks of 6");
});
