import { expect, test } from "vitest";
import { ShapeError } from "../../src/core/errors.ts";
import { softmax } from "../../src/ops/attention/softmax.ts";
import { reshape } from "../../src/ops/layout/reshape.ts";
import { scaleSequences } from "../../src/ops/pointwise/scale-sequences.ts";
import { Tape } from "../../src/tape/tape.ts";
import { expectClose } from "../golden-files.ts";
import { builds, expectGradients, Gym, leaf } from "./gradients.ts";

for (const build of builds) {
  test(`scaleSequences (${build}) multiplies the rows of a sequence by its factor, with both gradients`, async () => {
    using gym = await Gym.open(build);
    const [x, c] = [gym.param("x", [6, 5]), gym.param("c", [3, 1])];
    const starts = Int32Array.of(0, 2, 2, 6); // the second has no rows
    const op = (tape: Tape) => scaleSequences(leaf(tape, x), leaf(tape, c), starts);
    const want = x.values().map((value, i) => value * c.values()[i < 10 ? 0 : 2]!);
    expectClose(
      "scaled",
      Tape.once(gym.engine, {}, (tape) => tape.download(op(tape))),
      want,
      1e-7,
      1e-7,
    );
    expectGradients(gym.engine, [x, c], op);
    c.setTrainable(false);
    expectGradients(gym.engine, [x], op);
    expect(() =>
      Tape.once(gym.engine, {}, (tape) => scaleSequences(leaf(tape, x), leaf(tape, c), Int32Array.of(0, 6))),
    ).toThrow(ShapeError);
  });

  test(`softmax (${build}) is that of every row, whatever is added to it, with its gradient`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [4, 3]);
    const rows = Array.from({ length: 4 }, (_, r) => Array.from(x.values().subarray(3 * r, 3 * r + 3), Math.exp));
    const want = rows.flatMap((row) => row.map((e) => e / row.reduce((a, b) => a + b, 0)));
    const run = () => Tape.once(gym.engine, {}, (tape) => tape.download(softmax(leaf(tape, x))));
    expectClose("softmax", run(), want, 1e-7, 1e-6);
    expectGradients(gym.engine, [x], (tape) => softmax(leaf(tape, x)));
    x.values().set(x.values().map((value) => value + 300));
    expectClose("softmax of large numbers", run(), want, 1e-4, 1e-4);
  });

  test(`reshape (${build}) keeps the numbers in order, and refuses another size`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [4, 3]);
    const run = () => Tape.once(gym.engine, {}, (tape) => tape.download(reshape(leaf(tape, x), [2, 6])));
    expect(run()).toEqual(x.values().slice());
    expectGradients(gym.engine, [x], (tape) => reshape(leaf(tape, x), [2, 6]));
    expect(() => Tape.once(gym.engine, {}, (tape) => reshape(leaf(tape, x), [5, 2]))).toThrow(ShapeError);
  });
}
