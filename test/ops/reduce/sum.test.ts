import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { type Axis, mean, norm, sum } from "../../../src/ops/reduce/sum.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

const [ROWS, COLUMNS] = [3, 5];

/** The numbers that each sum takes in, in f64. */
function groups(values: ArrayLike<number>, axis: Axis | undefined): number[][] {
  const all = Array.from(values);
  if (axis === undefined) return [all];
  const at = (e: number) => (axis === 0 ? e % COLUMNS : Math.floor(e / COLUMNS));
  return Array.from({ length: axis === 0 ? COLUMNS : ROWS }, (_, g) => all.filter((_, e) => at(e) === g));
}

const total = (group: number[]) => group.reduce((a, b) => a + b, 0);
const reductions: Record<string, { op: (x: Value, axis?: Axis) => Value; of: (group: number[]) => number }> = {
  sum: { op: sum, of: total },
  mean: { op: mean, of: (group) => total(group) / group.length },
  norm: { op: norm, of: (group) => Math.sqrt(total(group.map((v) => v * v))) },
};

for (const build of builds) {
  for (const [name, { op, of }] of Object.entries(reductions)) {
    test.each([undefined, 0, 1] as const)(
      `${name} (${build}) over axis %s is that of f64, with its gradient`,
      async (axis) => {
        using gym = await Gym.open(build);
        const x = gym.param("x", [ROWS, COLUMNS]);
        const reduced = (tape: Tape) => op(leaf(tape, x), axis);
        expectClose(name, run(gym, reduced), groups(x.values(), axis).map(of), 1e-6, 1e-6);
        const shape = [axis === 1 ? ROWS : 1, axis === 0 ? COLUMNS : 1];
        Tape.plan(gym.engine, {}, (tape) => expect(reduced(tape).shape).toEqual(shape));
        expectGradients(gym.engine, [x], reduced);
      },
    );
  }
}

test("the norm of zeros is 0 and has no gradient", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [2, 2]);
  x.values().set([0, 0, 3, 4]);
  const lengths = Tape.once(gym.engine, { recording: true }, (tape) => {
    const y = norm(leaf(tape, x), 1);
    tape.backward(y);
    return tape.download(y);
  });
  expect(Array.from(lengths)).toEqual([0, 5]);
  expectClose("gradient", x.gradient(), [0, 0, 0.6, 0.8], 1e-7, 1e-7);
});

test("reductions refuse what is no matrix, and an axis that it does not have", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [2, 3, 4]);
  const y = gym.param("y", [2, 3]);
  for (const [name, { op }] of Object.entries(reductions)) {
    const wrongShape = () => Tape.plan(gym.engine, {}, (tape) => op(leaf(tape, x)));
    expect(wrongShape).toThrow(ShapeError);
    expect(wrongShape).toThrow(`${name}: expected a matrix [rows, columns], found shape [2, 3, 4]`);
    const wrongAxis = () => Tape.plan(gym.engine, {}, (tape) => op(leaf(tape, y), 2 as never));
    expect(wrongAxis).toThrow(`${name}: axis 2 is none of a matrix`);
  }
});
