import { expect, test } from "vitest";
import { ShapeError } from "../../src/core/errors.ts";
import { constant, stopGradient } from "../../src/ops/constant.ts";
import { add } from "../../src/ops/pointwise/add.ts";
import { Tape } from "../../src/tape/tape.ts";
import { expectGradients, Gym, leaf, run } from "./gradients.ts";

test("constant holds the numbers, needs no gradient, and lets that of others through", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [2, 2]);
  const numbers = [1, 2, 3, 4];
  expect(Array.from(run(gym, (tape) => constant(tape, numbers, [2, 2])))).toEqual(numbers);
  Tape.once(gym.engine, { recording: true }, (tape) => {
    expect(constant(tape, numbers, [2, 2]).needsGrad).toBe(false);
  });
  expectGradients(gym.engine, [x], (tape) => add(leaf(tape, x), constant(tape, numbers, [2, 2])));
});

test("constant refuses a shape of another size", async () => {
  using gym = await Gym.open("baseline");
  const call = () => Tape.plan(gym.engine, {}, (tape) => constant(tape, [1, 2, 3], [2, 2]));
  expect(call).toThrow(ShapeError);
  expect(call).toThrow("constant: 3 numbers for shape [2, 2], expected 4");
});

test("stopGradient has the same numbers, and nothing before it gets a gradient", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [2, 3]);
  expect(run(gym, (tape) => stopGradient(leaf(tape, x)))).toEqual(x.values());
  Tape.once(gym.engine, { recording: true }, (tape) => {
    const given = leaf(tape, x);
    const stopped = stopGradient(given);
    expect([given.needsGrad, stopped.needsGrad]).toEqual([true, false]);
    tape.backward(add(given, stopped));
  });
  expect(Array.from(x.gradient())).toEqual(Array(6).fill(1));
});
