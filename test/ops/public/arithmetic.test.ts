import { expect, test } from "vitest";
import { add, div, mul, sub } from "../../../src/ops/public/arithmetic.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

type Op = (a: Value | number, b: Value | number) => Value;
const ops: Record<string, { op: Op; of: (a: number, b: number) => number }> = {
  add: { op: add, of: (a, b) => a + b },
  sub: { op: sub, of: (a, b) => a - b },
  mul: { op: mul, of: (a, b) => a * b },
  div: { op: div, of: (a, b) => a / b },
};
/** No quotient is by nearly nothing. */
const awayFromZero = (v: number) => v + Math.sign(v);
const shapes = [
  [
    [3, 4],
    [3, 4],
  ],
  [
    [3, 1],
    [1, 4],
  ],
  [
    [3, 4],
    [1, 1],
  ],
] as const;

for (const build of builds) {
  for (const [name, { op, of }] of Object.entries(ops)) {
    test.each(shapes)(`${name} (${build}) of %j and %j is that of f64, with both gradients`, async (left, right) => {
      using gym = await Gym.open(build);
      const [a, b] = [gym.param("a", left), gym.param("b", right)];
      b.values().set(b.values().map(awayFromZero));
      const at = (p: typeof a, i: number, j: number) =>
        p.values()[(p.shape[0] === 1 ? 0 : i) * p.shape[1]! + (p.shape[1] === 1 ? 0 : j)]!;
      const want = Array.from({ length: 12 }, (_, e) => {
        const [i, j] = [Math.floor(e / 4), e % 4];
        return of(at(a, i, j), at(b, i, j));
      });
      const both = (tape: Tape) => op(leaf(tape, a), leaf(tape, b));
      expectClose(name, run(gym, both), want, 1e-6, 1e-6);
      expectGradients(gym.engine, [a, b], both);
    });

    test(`${name} (${build}) takes a number on either side, and one Value on both`, async () => {
      using gym = await Gym.open(build);
      const x = gym.param("x", [2, 3]);
      x.values().set(x.values().map(awayFromZero));
      const [left, right] = [(tape: Tape) => op(2.5, leaf(tape, x)), (tape: Tape) => op(leaf(tape, x), 2.5)];
      expectClose(
        "2.5 and x",
        run(gym, left),
        Array.from(x.values(), (v) => of(2.5, v)),
        1e-6,
        1e-6,
      );
      expectClose(
        "x and 2.5",
        run(gym, right),
        Array.from(x.values(), (v) => of(v, 2.5)),
        1e-6,
        1e-6,
      );
      expectGradients(gym.engine, [x], left);
      expectGradients(gym.engine, [x], right);
      expectGradients(gym.engine, [x], (tape) => {
        const value = leaf(tape, x);
        return add(op(value, value), value);
      });
    });
  }
}

test("arithmetic refuses shapes that do not fit and two numbers, by name", async () => {
  using gym = await Gym.open("baseline");
  const [a, b] = [gym.param("a", [3, 4]), gym.param("b", [4, 3])];
  for (const [name, { op }] of Object.entries(ops)) {
    const call = () => Tape.plan(gym.engine, {}, (tape) => op(leaf(tape, a), leaf(tape, b)));
    expect(call).toThrow(`${name}: shapes [3, 4] and [4, 3] do not fit`);
    expect(() => op(1, 2)).toThrow(`${name}: both operands are numbers`);
  }
});
