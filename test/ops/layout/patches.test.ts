import { expect, test } from "vitest";
import { patches } from "../../../src/ops/layout/patches.ts";
import { linear } from "../../../src/ops/linear/linear.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { numbers } from "../../reference/finite-differences.ts";
import { builds, expectGradients, Gym } from "../gradients.ts";

// Neither size is a multiple of its patch: two columns and one row are left over.
const grid = { channels: 3, height: 7, width: 11, patchHeight: 2, patchWidth: 3 };
const [images, out] = [2, 5];
const { channels, height, width, patchHeight, patchWidth } = grid;
const pixels = Float32Array.from(numbers(images * channels * height * width, 1));

/** A convolution whose stride is its size, by its definition in f64: [S · H/p · W/p, out]. */
function convolution(kernel: ArrayLike<number>): number[] {
  const result: number[] = [];
  for (let s = 0; s < images; s++)
    for (let top = 0; top + patchHeight <= height; top += patchHeight)
      for (let left = 0; left + patchWidth <= width; left += patchWidth)
        for (let o = 0; o < out; o++) {
          let sum = 0;
          for (let c = 0; c < channels; c++)
            for (let y = 0; y < patchHeight; y++)
              for (let x = 0; x < patchWidth; x++)
                sum +=
                  pixels[((s * channels + c) * height + top + y) * width + left + x]! *
                  kernel[((o * channels + c) * patchHeight + y) * patchWidth + x]!;
          result.push(sum);
        }
  return result;
}

for (const build of builds) {
  test(`a kernel [out, C, p, p] over patches (${build}) is the convolution, with the gradient of the kernel`, async () => {
    using gym = await Gym.open(build);
    const kernel = gym.param("kernel", [out, channels, patchHeight, patchWidth]);
    const got = Tape.once(gym.engine, {}, (tape) => {
      const y = linear(patches(tape, pixels, grid), kernel, "out-in", null);
      expect(y.shape).toEqual([images * 3 * 3, out]);
      return tape.download(y);
    });
    expectClose("convolution", got, convolution(kernel.values()), 1e-5, 1e-5);
    expectGradients(gym.engine, [kernel], (tape) => linear(patches(tape, pixels, grid), kernel, "out-in", null));
  });
}

test("pixels that are no whole number of images are an error", async () => {
  using gym = await Gym.open("baseline");
  const op = (tape: Tape) => patches(tape, pixels.subarray(1), grid);
  expect(() => Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)))).toThrow("for whole images");
});
