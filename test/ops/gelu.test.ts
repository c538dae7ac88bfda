import { test } from "vitest";
import { gelu, geluGate } from "../../src/ops/pointwise/gelu.ts";
import type { Tape } from "../../src/tape/tape.ts";
import { expectClose } from "../golden-files.ts";
import { geluErf, geluGate as geluGated, geluTanh } from "../reference/gelu.ts";
import { builds, expectGradients, Gym, leaf, run } from "./gradients.ts";

for (const build of builds) {
  test(`geluGate (${build}) is gelu(gate)·up in the tanh form, with both gradients`, async () => {
    using gym = await Gym.open(build);
    const [gate, up] = [gym.param("gate", [3, 7]), gym.param("up", [3, 7])];
    const op = (tape: Tape) => geluGate(leaf(tape, gate), leaf(tape, up));
    expectClose("geluGate", run(gym, op), geluGated(gate.values(), up.values()).values, 1e-6, 1e-6);
    expectGradients(gym.engine, [gate, up], op);
    gate.setTrainable(false);
    expectGradients(gym.engine, [up], op);
  });

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
