import { expect, test } from "vitest";
import { ShapeError } from "../../../src/core/errors.ts";
import { cornerProduct } from "../../../src/ops/linear/corner-product.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

for (const build of builds) {
  test.each([
    [1, 7, 6],
    [9, 3, 5],
    [9, 7, 6],
  ])(
    `cornerProduct (${build}) of %d rows reads [%d, %d] of a matrix [7, 6], with the gradient of x`,
    async (tokens, rows, width) => {
      using gym = await Gym.open(build);
      const [x, matrix] = [gym.param("x", [tokens, width]), gym.param("matrix", [7, 6], false)];
      const op = (tape: Tape) => cornerProduct(leaf(tape, x), matrix, rows);
      const want = Array.from({ length: tokens * rows }, (_, e) => {
        const [t, row] = [Math.floor(e / rows), e % rows];
        let sum = 0;
        for (let i = 0; i < width; i++) sum += x.values()[t * width + i]! * matrix.values()[row * 6 + i]!;
        return sum;
      });
      expectClose(
        "corner",
        Tape.once(gym.engine, {}, (tape) => tape.download(op(tape))),
        want,
        1e-6,
        1e-6,
      );
      expectGradients(gym.engine, [x], op);
    },
  );
}

test("cornerProduct refuses a corner larger than the matrix", async () => {
  using gym = await Gym.open("baseline");
  const [x, matrix] = [gym.param("x", [2, 6]), gym.param("matrix", [7, 6], false)];
  const run = () => Tape.plan(gym.engine, {}, (tape) => void cornerProduct(leaf(tape, x), matrix, 8));
  expect(run).toThrow(ShapeError);
  expect(run).toThrow('"matrix" [7, 6] has no corner of [8, 6]');
});
