import { expect, test } from "vitest";
import { gather } from "../../../src/ops/layout/gather.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

for (const build of builds) {
  test(`gather (${build}) takes one element of each row, to which its gradient goes back`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [4, 3]);
    const op = (tape: Tape) => gather(leaf(tape, x), [2, 0, 1, 0]);
    expect(Array.from(run(gym, op))).toEqual([2, 3, 7, 9].map((at) => x.values()[at]));
    expectGradients(gym.engine, [x], op);
  });
}

test("gather names a column that there is not, and a missing one", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [2, 3]);
  const call = (columns: number[]) => () => Tape.plan(gym.engine, {}, (tape) => gather(leaf(tape, x), columns));
  expect(call([0, 3])).toThrow("gather: columns: 3 at position 1 must be a whole number from 0 to 2");
  expect(call([0, 0.5])).toThrow("0.5 at position 1");
  expect(call([0])).toThrow("gather: columns: 1 were given, expected one for each of 2 rows");
});
