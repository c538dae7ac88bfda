import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { segmentSum } from "../../../src/ops/reduce/segment-sum.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

const starts = [0, 3, 3, 4, 7];

for (const build of builds) {
  test(`segmentSum (${build}) adds up the rows of each segment, and its gradient reaches each of them`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [7, 5]);
    const op = (tape: Tape) => segmentSum(leaf(tape, x), starts);
    const want = starts.slice(1).flatMap((end, s) =>
      Array.from({ length: 5 }, (_, c) => {
        let sum = 0;
        for (let row = starts[s]!; row < end; row++) sum += x.values()[row * 5 + c]!;
        return sum;
      }),
    );
    expectClose("sums", run(gym, op), want, 1e-6, 1e-6);
    expectGradients(gym.engine, [x], op);
  });
}

test.each([[[0, 3, 6]], [[1, 7]], [[0, 5, 3, 7]]])("segmentSum refuses the starts %j of 7 rows", async (wrong) => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [7, 5]);
  const call = () => Tape.plan(gym.engine, {}, (tape) => segmentSum(leaf(tape, x), wrong));
  expect(call).toThrow(ShapeError);
  expect(call).toThrow("must ascend from 0 to 7, the number of rows");
});
