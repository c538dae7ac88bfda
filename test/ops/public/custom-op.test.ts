import { expect, test } from "vitest";
import { customOp } from "../../../src/ops/public/custom-op.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

/** Outer products of two rows, y[i, j] = a[i]²·b[j]. */
const outer = customOp({
  name: "outer",
  shape: (a, b) => [a[1]!, b[1]!],
  forward: (a, b) => Array.from(a.data).flatMap((v) => Array.from(b.data, (w) => v * v * w)),
  backward: (gradient, y, a, b) => {
    const width = y.shape[1]!;
    const [da, db] = [new Float32Array(a.data.length), new Float32Array(b.data.length)];
    gradient.forEach((g, e) => {
      const [i, j] = [Math.floor(e / width), e % width];
      da[i]! += 2 * g * a.data[i]! * b.data[j]!;
      db[j]! += g * a.data[i]! ** 2;
    });
    return [da, db];
  },
});

for (const build of builds) {
  test(`customOp (${build}) has the numbers and gradients of its functions`, async () => {
    using gym = await Gym.open(build);
    const [a, b] = [gym.param("a", [1, 3]), gym.param("b", [1, 4])];
    const op = (tape: Tape) => outer(leaf(tape, a), leaf(tape, b));
    const want = Array.from(a.values()).flatMap((v) => Array.from(b.values(), (w) => Math.fround(v * v * w)));
    expect(Array.from(run(gym, op))).toEqual(want);
    expectGradients(gym.engine, [a, b], op);
    const square = customOp({
      forward: (x, y) => x.data.map((v, i) => v * y.data[i]!),
      backward: (g, _, x, y) => [g.map((v, i) => v * y.data[i]!), g.map((v, i) => v * x.data[i]!)],
    });
    expectGradients(gym.engine, [a], (tape) => {
      const x = leaf(tape, a);
      return square(x, x);
    });
  });
}

test("customOp computes nothing in a plan, and its functions cannot change what they are given", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [1, 3]);
  let calls = 0;
  const doubled = customOp({
    forward: ({ data }) => {
      calls++;
      return data.map((v, i) => {
        data[i] = 0;
        return 2 * v;
      });
    },
    backward: (gradient) => [gradient.map((g) => 2 * g)],
  });
  Tape.plan(gym.engine, { recording: true }, (tape) => tape.backward(doubled(leaf(tape, x))));
  expect(calls).toBe(0);
  const given = Tape.once(gym.engine, {}, (tape) => {
    const value = leaf(tape, x);
    doubled(value);
    return tape.download(value);
  });
  expect(given).toEqual(x.values());
});

test("customOp names itself where its functions return what does not fit; null is no gradient", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [1, 3]);
  const train = (op: (x: Value) => Value) => () =>
    Tape.once(gym.engine, { recording: true }, (tape) => tape.backward(op(leaf(tape, x))));
  const forward = ({ data }: { data: Float32Array }) => data;
  const backward = () => [null];
  expect(train(customOp({ name: "short", forward: () => [1], backward }))).toThrow(
    "short: the result of forward has 1 numbers, expected 3 for shape [1, 3]",
  );
  expect(train(customOp({ forward, backward: () => [[1, 2]] }))).toThrow(
    "customOp: gradient 0 of backward has 2 numbers, expected 3",
  );
  expect(train(customOp({ forward, backward: () => [] }))).toThrow(
    "backward has 0 gradients, expected one for each of 1",
  );
  expect(() => customOp({ forward, backward })()).toThrow("customOp: no operand was given");
  x.gradient().fill(0);
  train(customOp({ forward, backward }))();
  expect(Array.from(x.gradient())).toEqual([0, 0, 0]);
});
