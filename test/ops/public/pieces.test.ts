import { expect, test } from "vitest";
import { concat, indexSelect, slice } from "../../../src/ops/public/pieces.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

for (const build of builds) {
  test(`concat, slice and indexSelect (${build}) move whole rows and columns, and gradients back`, async () => {
    using gym = await Gym.open(build);
    const [a, b] = [gym.param("a", [2, 3]), gym.param("b", [2, 3])];
    const [u, v] = [Array.from(a.values()), Array.from(b.values())];
    const ops: [want: (number | undefined)[], op: (tape: Tape) => Value][] = [
      [[...u, ...v], (tape) => concat([leaf(tape, a), leaf(tape, b)])],
      [
        [...u.slice(0, 3), ...v.slice(0, 3), ...u.slice(3), ...v.slice(3)],
        (tape) => concat([leaf(tape, a), leaf(tape, b)], 1),
      ],
    ];
    for (const [want, op] of ops) {
      expect(Array.from(run(gym, op))).toEqual(want);
      expectGradients(gym.engine, [a, b], op);
    }
    const pieces: typeof ops = [
      [u.slice(3), (tape) => slice(leaf(tape, a), 1, 2)],
      [[u[1], u[2], u[4], u[5]], (tape) => slice(leaf(tape, a), 1, 3, 1)],
      [[...u.slice(3), ...u.slice(0, 3), ...u.slice(3)], (tape) => indexSelect(leaf(tape, a), [1, 0, 1])],
    ];
    for (const [want, op] of pieces) {
      expect(Array.from(run(gym, op))).toEqual(want);
      expectGradients(gym.engine, [a], op);
    }
  });
}

test("concat, slice and indexSelect name themselves and what does not fit", async () => {
  using gym = await Gym.open("baseline");
  const [a, b] = [gym.param("a", [2, 3]), gym.param("b", [3, 3])];
  const call = (op: (tape: Tape) => Value) => () => Tape.plan(gym.engine, {}, (tape) => void op(tape));
  const both = (axis: 0 | 1) => call((tape) => concat([leaf(tape, a), leaf(tape, b)], axis));
  expect(both(0)).not.toThrow();
  expect(both(1)).toThrow("concat: [2, 3] and [3, 3] must have equally many rows");
  expect(() => concat([])).toThrow("concat: no Value was given");
  expect(call((tape) => slice(leaf(tape, a), 1, 3))).toThrow("slice: 1 to 3 is not a range of the 2 rows of [2, 3]");
  expect(call((tape) => slice(leaf(tape, a), 0, 1, 2 as never))).toThrow("slice: axis 2 is none of a matrix");
  expect(call((tape) => indexSelect(leaf(tape, a), [2]))).toThrow("indexSelect: rows: 2 at position 0");
});
