import { expect, test } from "vitest";
import { gridOf, type Plane, startsOf, windows } from "../../src/ops/grid.ts";
import { meanRows } from "../../src/ops/layout/rows.ts";
import { linear } from "../../src/ops/linear/linear.ts";
import { Tape, type Value } from "../../src/tape/tape.ts";
import { expectClose } from "../golden-files.ts";
import { builds, expectGradients, Gym, leaf } from "./gradients.ts";

// Images of different sizes in one batch, and windows that are not square.
const planes: readonly Plane[] = [
  { height: 4, width: 5 },
  { height: 3, width: 2 },
];
const [channels, out] = [3, 2];
const places = planes.reduce((sum, { height, width }) => sum + height * width, 0);
const cases = [
  { height: 3, width: 2, stride: 1, padding: 0 },
  { height: 3, width: 3, stride: 1, padding: 1 },
  { height: 2, width: 3, stride: 2, padding: 1 },
];

/** A convolution over channels-last images by its definition in f64; the kernel is [out, height, width, channels]. */
function convolution(
  x: ArrayLike<number>,
  kernel: ArrayLike<number>,
  { height, width, stride, padding }: (typeof cases)[0],
) {
  const found: number[] = [];
  let first = 0;
  for (const plane of planes) {
    const at = (y: number, x0: number, c: number) =>
      y < 0 || x0 < 0 || y >= plane.height || x0 >= plane.width ? 0 : x[(first + y * plane.width + x0) * channels + c]!;
    for (let top = -padding; top + height <= plane.height + padding; top += stride)
      for (let left = -padding; left + width <= plane.width + padding; left += stride)
        for (let o = 0; o < out; o++) {
          let sum = 0;
          for (let dy = 0; dy < height; dy++)
            for (let dx = 0; dx < width; dx++)
              for (let c = 0; c < channels; c++)
                sum += at(top + dy, left + dx, c) * kernel[((o * height + dy) * width + dx) * channels + c]!;
          found.push(sum);
        }
    first += plane.height * plane.width;
  }
  return found;
}

for (const build of builds) {
  test.each(cases)(
    `a linear layer of windows (${build}) is a convolution, forward and backward: %o`,
    async (options) => {
      using gym = await Gym.open(build);
      const x = gym.param("x", [places, channels]);
      const kernel = gym.param("kernel", [out, options.height * options.width * channels]);
      const convolved = (tape: Tape): Value => {
        const grid = gridOf(leaf(tape, x), planes);
        return linear(windows(grid, options).value, kernel, "out-in", null);
      };
      const got = Tape.once(gym.engine, {}, (tape) => tape.download(convolved(tape)));
      expectClose("convolution", got, convolution(x.values(), kernel.values(), options), 1e-5, 1e-5);
      expectGradients(gym.engine, [x, kernel], convolved);
    },
  );
}

test("the result has planes of its own, and rows that belong to them", async () => {
  using gym = await Gym.open("baseline");
  Tape.once(gym.engine, {}, (tape) => {
    const grid = gridOf(tape.value([places, channels]), planes);
    const smaller = windows(grid, { height: 2, width: 2, stride: 2 });
    expect(smaller.planes).toEqual([
      { height: 2, width: 2 },
      { height: 1, width: 1 },
    ]);
    expect([...startsOf(smaller)]).toEqual([0, 4, 5]);
    expect(meanRows(smaller.value, startsOf(smaller)).shape).toEqual([2, 4 * channels]);
    expect(() => gridOf(grid.value, [planes[0]!])).toThrow("rows of a grid");
    expect(() => windows(grid, { height: 4, width: 4 })).toThrow("an image of 3 x 2 with padding 0 is smaller");
  });
});
