import { expect, test } from "vitest";
import { skewBlocks } from "../../../src/ops/linear/skew.ts";
import { builds, expectGradients, Gym, run } from "../gradients.ts";
import { blocksOf, SIZE, triangles } from "../squares.ts";

for (const build of builds) {
  test(`skewBlocks (${build}) puts triangles above the diagonals and their negatives below`, async () => {
    using gym = await Gym.open(build);
    const upper = triangles(gym);
    const [a, b, c, d, e, f, ...rest] = Array.from(upper.values()) as [number, number, number, number, number, number];
    const [first, second] = blocksOf(run(gym, (tape) => skewBlocks(tape, upper, SIZE)));
    expect(first).toEqual([0, a, b, c, -a, 0, d, e, -b, -d, 0, f, -c, -e, -f, 0]);
    expect(second!.slice(1, 4)).toEqual((rest as number[]).slice(0, 3));
    expectGradients(gym.engine, [upper], (tape) => skewBlocks(tape, upper, SIZE));
  });
}
