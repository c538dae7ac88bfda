import { expect, test } from "vitest";
import { ShapeError } from "../../src/core/errors.ts";
import { addBias, concatenateColumns, scaleColumns, sliceColumns } from "../../src/ops/layout/columns.ts";
import { activation, activations, leakyRelu } from "../../src/ops/pointwise/activation.ts";
import { add } from "../../src/ops/pointwise/add.ts";
import { dropout } from "../../src/ops/pointwise/dropout.ts";
import { multiplyElements, scaleBy } from "../../src/ops/pointwise/elementwise.ts";
import { gatedUnit } from "../../src/ops/pointwise/gated-unit.ts";
import { gelu } from "../../src/ops/pointwise/gelu.ts";
import { Tape, type Value } from "../../src/tape/tape.ts";
import { expectClose } from "../golden-files.ts";
import { scaleColumns as scaled } from "../reference/columns.ts";
import { maskFactors } from "../reference/dropout.ts";
import { geluErf, geluGate as geluGated, geluTanh } from "../reference/gelu.ts";
import { siluGate as siluGated } from "../reference/silu-gate.ts";
import { builds, expectGradients, Gym, leaf } from "./gradients.ts";

const run = (gym: Gym, op: (tape: Tape) => Value, training = false) =>
  Tape.once(gym.engine, { training }, (tape) => tape.download(op(tape)));

/** Of one number, in f64. */
const published: Record<(typeof activations)[number], (x: number) => number> = {
  relu: (x) => Math.max(x, 0),
  gelu: (x) => geluErf([x]).values[0]!,
  gelu_new: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  swish: (x) => x / (1 + Math.exp(-x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  linear: (x) => x,
  leakyrelu: (x) => (x > 0 ? x : 0.01 * x),
};

for (const build of builds) {
  test(`add (${build}) sums, and its gradient reaches both terms, twice where they are one`, async () => {
    using gym = await Gym.open(build);
    const [a, b] = [gym.param("a", [3, 5]), gym.param("b", [3, 5])];
    const sum = (tape: Tape) => add(leaf(tape, a), leaf(tape, b));
    expectClose(
      "sum",
      run(gym, sum),
      a.values().map((v, i) => v + b.values()[i]!),
      1e-7,
      0,
    );
    expectGradients(gym.engine, [a, b], sum);
    expectGradients(gym.engine, [a], (tape) => {
      const x = leaf(tape, a);
      return add(x, x);
    });
  });

  test(`gated by silu (${build}) is silu(gate)·up, with both gradients`, async () => {
    using gym = await Gym.open(build);
    const [gate, up] = [gym.param("gate", [3, 7]), gym.param("up", [3, 7])];
    const op = (tape: Tape) => gatedUnit(leaf(tape, gate), leaf(tape, up), "silu");
    expectClose("siluGate", run(gym, op), siluGated(gate.values(), up.values()).values, 1e-6, 1e-6);
    expectGradients(gym.engine, [gate, up], op);
    up.setTrainable(false);
    expectGradients(gym.engine, [gate], op);
  });

  test(`gated by gelu_new (${build}) is gelu(gate)·up in the tanh form, with both gradients`, async () => {
    using gym = await Gym.open(build);
    const [gate, up] = [gym.param("gate", [3, 7]), gym.param("up", [3, 7])];
    const op = (tape: Tape) => gatedUnit(leaf(tape, gate), leaf(tape, up), "gelu_new");
    expectClose("geluGate", run(gym, op), geluGated(gate.values(), up.values()).values, 1e-6, 1e-6);
    expectGradients(gym.engine, [gate, up], op);
    gate.setTrainable(false);
    expectGradients(gym.engine, [up], op);
  });

  test(`multiplyElements (${build}) multiplies, and its gradient reaches either or both factors, twice where they are one`, async () => {
    using gym = await Gym.open(build);
    const [a, b] = [gym.param("a", [3, 5]), gym.param("b", [3, 5])];
    const op = (tape: Tape) => multiplyElements(leaf(tape, a), leaf(tape, b));
    const want = a.values().map((v, i) => v * b.values()[i]!);
    expectClose("product", run(gym, op), want, 0, 1e-7);
    expectGradients(gym.engine, [a, b], op);
    expectGradients(gym.engine, [a], (tape) => {
      const x = leaf(tape, a);
      return multiplyElements(x, x);
    });
    b.setTrainable(false);
    expectGradients(gym.engine, [a], op);
  });

  test(`scaleBy (${build}) multiplies by one number, and so does its gradient`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [3, 5]);
    const op = (tape: Tape) => scaleBy(leaf(tape, x), -0.75);
    const want = x.values().map((v) => -0.75 * v);
    expectClose("scaleBy", run(gym, op), want, 0, 1e-7);
    expectGradients(gym.engine, [x], op);
  });

  test.each(activations)(`activation %s (${build}) is the published function, with its gradient`, async (name) => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [3, 7]);
    x.values().forEach((v, i, values) => {
      values[i] = 2 * v + (v < 0 ? -0.1 : 0.1); // the differences may not step over the kink at 0
    });
    const op = (tape: Tape) => activation(leaf(tape, x), name);
    expectClose(name, run(gym, op), Array.from(x.values(), published[name]), 1e-6, 1e-6);
    expectGradients(gym.engine, [x], op);
  });

  test(`leakyRelu (${build}) has the slope that it is given`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [2]);
    x.values().set([-2, 3]);
    expect(Array.from(run(gym, (tape) => leakyRelu(leaf(tape, x), 0.25)))).toEqual([-0.5, 3]);
  });

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

  test.each([
    ["tanh", geluTanh],
    ["erf", geluErf],
  ] as const)(`gelu %s (${build}) is the published function, with its gradient`, async (form, reference) => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [3, 7]);
    const op = (tape: Tape) => gelu(leaf(tape, x), form);
    expectClose("gelu", run(gym, op), reference(x.values()).values, 1e-6, 1e-6);
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

  test(`dropout (${build}) masks by the step's seed and the op's number in training, and is the identity outside it`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [6, 9]);
    const op = (tape: Tape) => dropout(dropout(leaf(tape, x), 0.25), 0.5);
    const p = [Math.fround(0.25), Math.fround(0.5)];
    const factors = p.map((each, stream) => maskFactors(x.size, { p: each, seed: [0, 0], stream }));
    expect(Array.from(run(gym, op))).toEqual(Array.from(x.values()));
    expectClose(
      "dropout",
      run(gym, op, true),
      x.values().map((v, i) => v * factors[0]![i]! * factors[1]![i]!),
      0,
      1e-6,
    );
    expectGradients(gym.engine, [x], op, { training: true });
    Tape.once(gym.engine, { training: true }, (tape) => {
      const given = leaf(tape, x);
      expect(dropout(given, 0)).toBe(given);
    });
  });
}

test("sliceColumns and concatenateColumns refuse what is not there, naming the sizes", async () => {
  using gym = await Gym.open("baseline");
  const [a, b] = [gym.param("a", [3, 5]), gym.param("b", [4, 5])];
  const plan = (op: (tape: Tape) => Value) => () => Tape.plan(gym.engine, {}, op);
  expect(plan((tape) => sliceColumns(leaf(tape, a), 2, 6))).toThrow(ShapeError);
  expect(plan((tape) => sliceColumns(leaf(tape, a), 2, 6))).toThrow("columns 2 to 6 are not a range of the 5");
  expect(plan((tape) => concatenateColumns([leaf(tape, a), leaf(tape, b)]))).toThrow("found 4 beside 3");
});

test("add, products and gates refuse operands of different shapes, naming both", async () => {
  using gym = await Gym.open("baseline");
  const [a, b] = [gym.param("a", [3, 5]), gym.param("b", [3, 4])];
  const gates = (["silu", "gelu_new", "relu"] as const).map((name) => (x: Value, y: Value) => gatedUnit(x, y, name));
  for (const op of [add, ...gates, multiplyElements]) {
    const call = () => Tape.plan(gym.engine, {}, (tape) => op(leaf(tape, a), leaf(tape, b)));
    expect(call).toThrow(ShapeError);
    expect(call).toThrow("[3, 5] and [3, 4]");
  }
});
