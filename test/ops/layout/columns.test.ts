import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { addBias, concatenateColumns, scaleColumns, sliceColumns } from "../../../src/ops/layout/columns.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { scaleColumns as scaled } from "../../reference/columns.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

for (const build of builds) {
  test(`sliceColumns (${build}) takes columns, concatenateColumns puts them side by side, with the gradients of all`, async () => {
    using gym = await Gym.open(build);
    const [x, y] = [gym.param("x", [4, 9]), gym.param("y", [4, 3])];
    const op = (tape: Tape) => {
      const value = leaf(tape, x);
      return concatenateColumns([sliceColumns(value, 4, 9), leaf(tape, y), sliceColumns(value, 3, 6)]);
    };
    const sides = [0, 1, 2, 3].flatMap((i) => [
      ...x.values().subarray(9 * i + 4, 9 * i + 9),
      ...y.values().subarray(3 * i, 3 * i + 3),
      ...x.values().subarray(9 * i + 3, 9 * i + 6),
    ]);
    expect(Array.from(run(gym, op))).toEqual(sides);
    expectGradients(gym.engine, [x, y], op);
    y.setTrainable(false);
    expectGradients(gym.engine, [x], op);
  });

  test(`scaleColumns (${build}) scales each column, with the gradients of either or both factors`, async () => {
    using gym = await Gym.open(build);
    const [x, c] = [gym.param("x", [4, 5]), gym.param("c", [1, 5])];
    const op = (tape: Tape) => scaleColumns(leaf(tape, x), leaf(tape, c));
    expectClose(
      "scaleColumns",
      run(gym, op),
      scaled(
        x.values().map(() => 0),
        x.values(),
        c.values(),
      ).values,
      1e-6,
      1e-6,
    );
    expectGradients(gym.engine, [x, c], op);
    c.setTrainable(false);
    expectGradients(gym.engine, [x], op);
  });

  test(`addBias (${build}) adds s·b to every row, with the gradients of x and of a trained bias`, async () => {
    using gym = await Gym.open(build);
    const [x, b, fixed] = [gym.param("x", [4, 5]), gym.param("b", [5]), gym.frozen("fixed", [5])];
    const op = (tape: Tape) => addBias(leaf(tape, x), b, 0.75);
    expectClose(
      "addBias",
      run(gym, op),
      x.values().map((v, i) => v + 0.75 * b.values()[i % 5]!),
      1e-6,
      1e-6,
    );
    expectGradients(gym.engine, [x, b], op);
    expectGradients(gym.engine, [x], (tape) => addBias(leaf(tape, x), fixed));
  });
}

test("sliceColumns and concatenateColumns refuse what is not there, naming the sizes", async () => {
  using gym = await Gym.open("baseline");
  const [a, b] = [gym.param("a", [3, 5]), gym.param("b", [4, 5])];
  const plan = (op: (tape: Tape) => Value) => () => Tape.plan(gym.engine, {}, op);
  expect(plan((tape) => sliceColumns(leaf(tape, a), 2, 6))).toThrow(ShapeError);
  expect(plan((tape) => sliceColumns(leaf(tape, a), 2, 6))).toThrow("columns 2 to 6 are not a range of the 5");
  expect(plan((tape) => concatenateColumns([leaf(tape, a), leaf(tape, b)]))).toThrow("found 4 and 3");
});
