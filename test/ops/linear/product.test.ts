import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { batchedProduct, blockRotate, lift, product } from "../../../src/ops/linear/product.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { aKm, bNk, matmul } from "../../reference/matmul.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

const run = (gym: Gym, op: (tape: Tape) => Value) => Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));

/** op(a)·op(b) in f64. */
function multiplied(
  a: Float32Array,
  b: Float32Array,
  [m, n, k]: readonly [number, number, number],
  [turnA, turnB]: readonly [boolean, boolean],
): number[] {
  const steps = { lda: turnA ? m : k, ldb: turnB ? k : n, ldc: n, lda2: 0, ldb2: 0 };
  const sizes = { m, n, k, r: 0, layout: (turnA ? aKm : 0) | (turnB ? bNk : 0), scale: 1, ...steps };
  return Array.from(matmul({ a, b, c: [], bias: null, a2: [], b2: [] }, sizes).values);
}

const transposes = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;
const shapes = [
  [1, 5, 3],
  [4, 3, 6],
  [7, 5, 2],
] as const;

for (const build of builds) {
  test.each(transposes)(
    `product (${build}) is op(a)·op(b) with both gradients, transposed: a %s, b %s`,
    async (transposeA, transposeB) => {
      for (const [m, n, k] of shapes) {
        using gym = await Gym.open(build);
        const a = gym.param("a", transposeA ? [k, m] : [m, k]);
        const b = gym.param("b", transposeB ? [n, k] : [k, n]);
        const op = (tape: Tape) => product(leaf(tape, a), leaf(tape, b), { transposeA, transposeB });
        const want = multiplied(a.values(), b.values(), [m, n, k], [transposeA, transposeB]);
        expectClose("product", run(gym, op), want, 1e-6, 1e-6);
        expectGradients(gym.engine, [a, b], op);
        b.setTrainable(false);
        expectGradients(gym.engine, [a], op);
      }
    },
  );

  test.each(transposes)(
    `batchedProduct (${build}) multiplies stacked blocks one by one, transposed: a %s, b %s`,
    async (transposeA, transposeB) => {
      for (const [m, n, k] of shapes) {
        using gym = await Gym.open(build);
        const a = gym.param("a", transposeA ? [3 * k, m] : [3 * m, k]);
        const b = gym.param("b", transposeB ? [3 * n, k] : [3 * k, n]);
        const op = (tape: Tape) => batchedProduct(leaf(tape, a), leaf(tape, b), 3, { transposeA, transposeB });
        const block = (x: Float32Array, i: number) => x.subarray((i * x.length) / 3, ((i + 1) * x.length) / 3);
        const want = [0, 1, 2].flatMap((i) =>
          multiplied(block(a.values(), i), block(b.values(), i), [m, n, k], [transposeA, transposeB]),
        );
        expectClose("products", run(gym, op), want, 1e-6, 1e-6);
        expectGradients(gym.engine, [a, b], op);
      }
    },
  );

  test(`a product and stacked products (${build}) of a Value with itself have the gradient of both factors`, async () => {
    using gym = await Gym.open(build);
    const q = gym.param("q", [8, 4]);
    expectGradients(gym.engine, [q], (tape) => {
      const x = leaf(tape, q);
      return batchedProduct(x, x, 2);
    });
    expectGradients(gym.engine, [q], (tape) => {
      const x = leaf(tape, q);
      return product(x, x, { transposeA: true });
    });
  });

  test.each([
    ["its own block", [12, 4]],
    ["the one block there is", [4, 4]],
  ] as const)(`blockRotate (${build}) turns each piece of a row by %s, with both gradients`, async (_, shape) => {
    for (const rows of [1, 7]) {
      using gym = await Gym.open(build);
      const [x, blocks] = [gym.param("x", [rows, 12]), gym.param("blocks", shape)];
      const op = (tape: Tape) => blockRotate(leaf(tape, x), leaf(tape, blocks));
      const want = Array.from({ length: rows * 12 }, (_, e) => {
        const [row, piece, column] = [Math.floor(e / 12), Math.floor((e % 12) / 4), e % 4];
        const block = blocks.values().subarray(shape[0] === 12 ? piece * 16 : 0);
        let sum = 0;
        for (let p = 0; p < 4; p++) sum += x.values()[row * 12 + piece * 4 + p]! * block[p * 4 + column]!;
        return sum;
      });
      expectClose("blockRotate", run(gym, op), want, 1e-6, 1e-6);
      expectGradients(gym.engine, [x, blocks], op);
      x.setTrainable(false);
      expectGradients(gym.engine, [blocks], op);
    }
  });

  test(`lift (${build}) is a Param's values, and brings it its gradient`, async () => {
    using gym = await Gym.open(build);
    const [a, b] = [gym.param("a", [3, 4]), gym.param("b", [4, 2])];
    const op = (tape: Tape) => product(lift(tape, a), lift(tape, b));
    expect(Array.from(run(gym, (tape) => lift(tape, a)))).toEqual(Array.from(a.values()));
    expectGradients(gym.engine, [a, b], op);
    b.setTrainable(false);
    expectGradients(gym.engine, [a], op);
    Tape.once(gym.engine, { recording: true }, (tape) => {
      expect(lift(tape, a).needsGrad).toBe(true);
      expect(lift(tape, b).needsGrad).toBe(false);
    });
  });

  test(`lift (${build}) reads a part of a Param as a matrix, and brings the gradient to that part`, async () => {
    using gym = await Gym.open(build);
    const a = gym.param("a", [3, 2, 4]);
    const part = (tape: Tape) => lift(tape, a, [2, 4], 8);
    expect(Array.from(run(gym, part))).toEqual(Array.from(a.values().subarray(8, 16)));
    expectGradients(gym.engine, [a], (tape) => product(part(tape), lift(tape, a, [4, 2], 16)));
  });
}

test("products refuse factors that do not fit, naming their shapes", async () => {
  using gym = await Gym.open("baseline");
  const [a, b] = [gym.param("a", [4, 3]), gym.param("b", [4, 2])];
  const plan = (op: (a: Value, b: Value) => Value) => () =>
    Tape.plan(gym.engine, {}, (tape) => op(leaf(tape, a), leaf(tape, b)));
  const calls = [
    [product, "[4, 3] and [4, 2]"],
    [(x: Value, y: Value) => product(x, y, { transposeB: true }), "[4, 3] and [4, 2]ᵀ"],
    [(x: Value, y: Value) => batchedProduct(x, y, 3), "[4, 3] are not a multiple of 3"],
    [blockRotate, "last axis of [4, 3] must be 4"],
  ] as const;
  for (const [op, message] of calls) {
    expect(plan(op)).toThrow(ShapeError);
    expect(plan(op)).toThrow(message);
  }
});

test("products count two operations for each multiply-add", async () => {
  using gym = await Gym.open("baseline");
  const [x, blocks] = [gym.param("x", [7, 12]), gym.param("blocks", [12, 4])];
  const flops = Tape.once(gym.engine, {}, (tape) => {
    const before = tape.flops;
    blockRotate(leaf(tape, x), leaf(tape, blocks));
    return tape.flops - before;
  });
  expect(flops).toBe(2 * 7 * 12 * 4);
});
