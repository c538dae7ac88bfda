import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { concatenateRows, insertRows, meanRows, replaceRows, sliceRows } from "../../../src/ops/layout/rows.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

const width = 3;
const run = (gym: Gym, op: (tape: Tape) => Value) => Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
const rowsOf = (param: { values(): Float32Array }, ...rows: number[]) =>
  rows.flatMap((i) => [...param.values().subarray(i * width, (i + 1) * width)]);

for (const build of builds) {
  test(`insertRows (${build}) puts rows before each sequence; one Value for many gets the gradients of all`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [6, width]);
    const [shared, own] = [gym.param("shared", [2, width]), gym.param("own", [1, width])];
    const op = (tape: Tape) => {
      const both = leaf(tape, shared);
      return insertRows(leaf(tape, x), Int32Array.of(0, 2, 3, 5, 6), [both, null, leaf(tape, own), both]);
    };
    const want = [
      ...[...rowsOf(shared, 0, 1), ...rowsOf(x, 0, 1)],
      ...rowsOf(x, 2),
      ...[...rowsOf(own, 0), ...rowsOf(x, 3, 4)],
      ...[...rowsOf(shared, 0, 1), ...rowsOf(x, 5)],
    ];
    expect(Array.from(run(gym, op))).toEqual(want);
    expectGradients(gym.engine, [x, shared, own], op);
    x.setTrainable(false);
    expectGradients(gym.engine, [shared, own], op);
  });

  test(`sliceRows (${build}) takes ranges one after the other, and overlapping ones add their gradients`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [6, width]);
    const ranges = [
      { start: 3, end: 6 },
      { start: 2, end: 2 },
      { start: 1, end: 4 },
    ];
    const op = (tape: Tape) => sliceRows(leaf(tape, x), ranges);
    expect(Array.from(run(gym, op))).toEqual(rowsOf(x, 3, 4, 5, 1, 2, 3));
    expectGradients(gym.engine, [x], op);
  });

  test(`replaceRows (${build}) puts rows in the place of others, whose gradient is 0`, async () => {
    using gym = await Gym.open(build);
    const [x, y] = [gym.param("x", [6, width]), gym.param("y", [3, width])];
    const ranges = [
      { start: 0, end: 1 },
      { start: 3, end: 5 },
    ];
    const op = (tape: Tape) => replaceRows(leaf(tape, x), ranges, leaf(tape, y));
    const want = [...rowsOf(y, 0), ...rowsOf(x, 1, 2), ...rowsOf(y, 1, 2), ...rowsOf(x, 5)];
    expect(Array.from(run(gym, op))).toEqual(want);
    expectGradients(gym.engine, [x, y], op);
  });

  test(`concatenateRows (${build}) puts Values one below the other, with the gradients of each`, async () => {
    using gym = await Gym.open(build);
    const [x, y] = [gym.param("x", [2, width]), gym.param("y", [3, width])];
    const op = (tape: Tape) => concatenateRows([leaf(tape, x), leaf(tape, y), leaf(tape, x)]);
    expect(Array.from(run(gym, op))).toEqual([...x.values(), ...y.values(), ...x.values()]);
    expectGradients(gym.engine, [x, y], op);
  });

  test(`meanRows (${build}) is the mean of each sequence, zeros for an empty one, with its gradient`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [7, width]);
    const op = (tape: Tape) => meanRows(leaf(tape, x), Int32Array.of(0, 1, 1, 7));
    const mean = (column: number) => {
      let sum = 0;
      for (let i = 1; i < 7; i++) sum += x.values()[i * width + column]!;
      return sum / 6;
    };
    expectClose("mean", run(gym, op), [...rowsOf(x, 0), 0, 0, 0, ...[0, 1, 2].map(mean)], 1e-6, 1e-6);
    expectGradients(gym.engine, [x], op);
  });
}

test("ops of rows refuse ranges and widths that do not fit, naming the sizes", async () => {
  using gym = await Gym.open("baseline");
  const [x, wide] = [gym.param("x", [4, width]), gym.param("wide", [2, width + 1])];
  const plan = (op: (tape: Tape) => Value) => () => Tape.plan(gym.engine, {}, op);
  const range = (start: number, end: number) => [{ start, end }];
  const calls = [
    [(tape: Tape) => sliceRows(leaf(tape, x), range(2, 5)), "rows 2 to 5 are not a range of the 4"],
    [(tape: Tape) => replaceRows(leaf(tape, x), range(0, 1), leaf(tape, x)), "hold 1 rows, but 4 rows are given"],
    [(tape: Tape) => concatenateRows([leaf(tape, x), leaf(tape, wide)]), "last axis of [2, 4] must be 3"],
    [(tape: Tape) => insertRows(leaf(tape, x), Int32Array.of(0, 4), [null, null]), "for 2 sequences, but there are 1"],
  ] as const;
  for (const [op, message] of calls) {
    expect(plan(op)).toThrow(ShapeError);
    expect(plan(op)).toThrow(message);
  }
});
