import { test } from "vitest";
import { gelu } from "../../../src/ops/pointwise/gelu.ts";
import type { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { geluErf, geluTanh } from "../../reference/gelu.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

for (const build of builds) {
  test.each([
    ["tanh", geluTanh],
    ["erf", geluErf],
  ] as const)(`gelu %s (${build}) is the published function, with its gradient`, async (form, reference) => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [3, 7]);
    const op = (tape: Tape) => gelu(leaf(tape, x), form);
    expectClose("gelu", run(gym, op), reference(x.values()).values, 1e-6, 1e-6);
    expectGradients(gym.engine, [x], op);
  });
}
