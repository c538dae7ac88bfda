import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { broadcast, commonShape } from "../../../src/ops/layout/broadcast.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

for (const build of builds) {
  test.each([
    [1, 4],
    [3, 1],
    [1, 1],
    [3, 4],
  ])(`broadcast (${build}) of [%i, %i] repeats, and its gradient adds up`, async (rows, columns) => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [rows, columns]);
    const op = (tape: Tape) => broadcast(leaf(tape, x), [3, 4]);
    const want = Array.from({ length: 12 }, (_, e) => x.values()[(Math.floor(e / 4) % rows) * columns + (e % columns)]);
    expect(Array.from(run(gym, op))).toEqual(want);
    expectGradients(gym.engine, [x], op);
  });
}

test("the common shape is NumPy's; others are refused with both shapes", async () => {
  expect(commonShape("add", [3, 1], [1, 4])).toEqual([3, 4]);
  expect(commonShape("add", [5], [5])).toEqual([5]);
  for (const [a, b] of [
    [
      [3, 2],
      [3, 4],
    ],
    [[3], [3, 1]],
  ] as const) {
    expect(() => commonShape("add", a, b)).toThrow(ShapeError);
    expect(() => commonShape("add", a, b)).toThrow(`add: shapes [${a.join(", ")}] and [${b.join(", ")}] do not fit`);
  }
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [3, 4]);
  expect(() => Tape.plan(gym.engine, {}, (tape) => broadcast(leaf(tape, x), [1, 4]))).toThrow("does not become [1, 4]");
});
