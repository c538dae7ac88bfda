import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { kronecker, multiplyEach } from "../../../src/ops/linear/kronecker.ts";
import { Tape } from "../../../src/tape/tape.ts";
import type { Param } from "../../../src/tensor/tensor.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

/** x·(a ⊗ b)ᵀ in f64, the Kronecker product written out. */
function expanded(x: Param, a: Param, b: { shape: readonly number[]; values: ArrayLike<number> }): number[] {
  const [tokens, width] = x.shape as [number, number];
  const [l, m] = a.shape as [number, number];
  const [k, n] = b.shape as [number, number];
  return Array.from({ length: tokens * l * k }, (_, e) => {
    const [t, o] = [Math.floor(e / (l * k)), e % (l * k)];
    let sum = 0;
    for (let i = 0; i < width; i++) {
      const weight = a.values()[Math.floor(o / k) * m + Math.floor(i / n)]! * b.values[(o % k) * n + (i % n)]!;
      sum += x.values()[t * width + i]! * weight;
    }
    return sum;
  });
}

for (const build of builds) {
  test.each([1, 5])(
    `kronecker (${build}) of %d rows is the product with the whole matrix, with all gradients`,
    async (tokens) => {
      using gym = await Gym.open(build);
      const [x, a, b] = [gym.param("x", [tokens, 12]), gym.param("a", [2, 3]), gym.param("b", [5, 4])];
      const op = (tape: Tape) => kronecker(leaf(tape, x), leaf(tape, a), [leaf(tape, b)]);
      const got = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
      expectClose("kronecker", got, expanded(x, a, { shape: b.shape, values: b.values() }), 1e-6, 1e-6);
      expectGradients(gym.engine, [x, a, b], op);
      a.setTrainable(false);
      expectGradients(gym.engine, [x, b], op);
    },
  );

  test(`kronecker (${build}) takes its second matrix as the product of two`, async () => {
    using gym = await Gym.open(build);
    const [x, a] = [gym.param("x", [3, 12]), gym.param("a", [2, 3])];
    const [left, right] = [gym.param("left", [5, 2]), gym.param("right", [2, 4])];
    const op = (tape: Tape) => kronecker(leaf(tape, x), leaf(tape, a), [leaf(tape, left), leaf(tape, right)]);
    const b = Array.from({ length: 20 }, (_, e) => {
      const [i, j] = [Math.floor(e / 4), e % 4];
      return left.values()[i * 2]! * right.values()[j]! + left.values()[i * 2 + 1]! * right.values()[4 + j]!;
    });
    const got = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
    expectClose("kronecker", got, expanded(x, a, { shape: [5, 4], values: b }), 1e-6, 1e-6);
    expectGradients(gym.engine, [x, a, left, right], op);
  });
}

test.each(builds)("multiplyEach (%s) is the product with each of the matrices, with both gradients", async (build) => {
  using gym = await Gym.open(build);
  const [a, x] = [gym.param("a", [2, 3]), gym.param("x", [6, 4])];
  const op = (tape: Tape) => multiplyEach(leaf(tape, a), leaf(tape, x), 2);
  const got = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
  const want = Array.from({ length: 16 }, (_, e) => {
    const [block, i, j] = [Math.floor(e / 8), Math.floor((e % 8) / 4), e % 4];
    const term = (k: number) => a.values()[i * 3 + k]! * x.values()[(block * 3 + k) * 4 + j]!;
    return term(0) + term(1) + term(2);
  });
  expectClose("products", got, want, 1e-6, 1e-6);
  expectGradients(gym.engine, [a, x], op);
});

test("kronecker refuses an input of another width, and multiplyEach rows that are no whole matrices", async () => {
  using gym = await Gym.open("baseline");
  const [x, a, b] = [gym.param("x", [3, 11]), gym.param("a", [2, 3]), gym.param("b", [5, 4])];
  const run = (op: (tape: Tape) => unknown) => () => Tape.plan(gym.engine, {}, (tape) => void op(tape));
  const wide = run((tape) => kronecker(leaf(tape, x), leaf(tape, a), [leaf(tape, b)]));
  expect(wide).toThrow(ShapeError);
  expect(wide).toThrow("last axis of [3, 11] must be 12");
  expect(run((tape) => multiplyEach(leaf(tape, a), leaf(tape, b), 2))).toThrow(
    "[5, 4] does not hold 2 matrices of 3 rows",
  );
});
