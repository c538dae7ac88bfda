import { expect, test } from "vitest";
import { linear, matmul } from "../../../src/ops/public/matmul.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import type { Param } from "../../../src/tensor/tensor.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

/** x·wᵀ + b in f64. */
function projected(x: Param, w: Param, b?: Param): number[] {
  const [width, out] = [x.shape[1]!, w.shape[0]!];
  return Array.from({ length: x.shape[0]! * out }, (_, e) => {
    let sum = b?.values()[e % out] ?? 0;
    for (let k = 0; k < width; k++)
      sum += x.values()[Math.floor(e / out) * width + k]! * w.values()[(e % out) * width + k]!;
    return sum;
  });
}

for (const build of builds) {
  test(`matmul (${build}) multiplies matrices as they are or transposed, with both gradients`, async () => {
    using gym = await Gym.open(build);
    const [a, b] = [gym.param("a", [3, 5]), gym.param("b", [4, 5])];
    const op = (tape: Tape) => matmul(leaf(tape, a), leaf(tape, b), { transposeB: true });
    expectClose("product", run(gym, op), projected(a, b), 1e-6, 1e-6);
    expectGradients(gym.engine, [a, b], op);
    const turned = (tape: Tape) => matmul(leaf(tape, a), leaf(tape, a), { transposeA: true });
    expectGradients(gym.engine, [a], turned);
  });

  test(`linear (${build}) takes weights and biases as Params, frozen or as Values`, async () => {
    using gym = await Gym.open(build);
    const [x, w, b] = [gym.param("x", [3, 5]), gym.param("w", [4, 5]), gym.param("b", [4])];
    const row = gym.param("row", [1, 4]);
    const ops: [params: Param[], bias: Param | undefined, op: (tape: Tape) => Value][] = [
      [[x, w], undefined, (tape) => linear(leaf(tape, x), w)],
      [[x, w, b], b, (tape) => linear(leaf(tape, x), w, b)],
      [[x, w], undefined, (tape) => linear(leaf(tape, x), leaf(tape, w))],
      [[x, w, row], row, (tape) => linear(leaf(tape, x), leaf(tape, w), leaf(tape, row))],
      [[x, w, row], row, (tape) => linear(leaf(tape, x), w, leaf(tape, row))],
      [[x, w, b], b, (tape) => linear(leaf(tape, x), leaf(tape, w), b)],
    ];
    for (const [params, bias, op] of ops) {
      expectClose("linear", run(gym, op), projected(x, w, bias), 1e-6, 1e-6);
      expectGradients(gym.engine, params, op);
    }
    const frozen = gym.frozen("frozen", [4, 5]);
    expectGradients(gym.engine, [x], (tape) => linear(leaf(tape, x), frozen));
  });
}

test("matmul and linear refuse operands that do not fit", async () => {
  using gym = await Gym.open("baseline");
  const [x, w, b] = [gym.param("x", [3, 5]), gym.param("w", [4, 6]), gym.param("b", [3])];
  const call = (op: (tape: Tape) => Value) => () => Tape.plan(gym.engine, {}, (tape) => void op(tape));
  expect(call((tape) => matmul(leaf(tape, x), leaf(tape, w)))).toThrow("[3, 5] and [4, 6] of a product do not fit");
  expect(call((tape) => matmul(leaf(tape, x), leaf(tape, b)))).toThrow("matmul: expected a matrix");
  expect(call((tape) => linear(leaf(tape, x), w))).toThrow("linear: weight [4, 6] does not fit the 5 columns");
  const square = gym.param("square", [5, 5]);
  expect(call((tape) => linear(leaf(tape, x), square, b))).toThrow("linear: bias [3] does not fit the 5 rows");
});
