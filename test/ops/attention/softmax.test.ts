import { test } from "vitest";
import { softmax } from "../../../src/ops/attention/softmax.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

for (const build of builds) {
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
}
