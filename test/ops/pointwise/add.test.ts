import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { add } from "../../../src/ops/pointwise/add.ts";
import { multiplyElements } from "../../../src/ops/pointwise/elementwise.ts";
import { gatedUnit } from "../../../src/ops/pointwise/gated-unit.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

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
}

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
