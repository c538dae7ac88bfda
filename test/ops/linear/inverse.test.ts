import { test } from "vitest";
import { inverseBlocks } from "../../../src/ops/linear/inverse.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";
import { blocksOf, identity, multiplied, SIZE } from "../squares.ts";

for (const build of builds) {
  test(`inverseBlocks (${build}) times its argument is the identity, with the gradient`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [2 * SIZE, SIZE]);
    // Diagonals that outweigh their rows.
    x.values().set(x.values().map((value, e) => value + (e % SIZE === Math.floor(e / SIZE) % SIZE ? 5 : 0)));
    const inverses = blocksOf(run(gym, (tape) => inverseBlocks(leaf(tape, x))));
    blocksOf(x.values()).forEach((block, b) => {
      expectClose("product", multiplied(block, inverses[b]!), identity, 1e-6, 0);
    });
    expectGradients(gym.engine, [x], (tape) => inverseBlocks(leaf(tape, x)));
  });
}
