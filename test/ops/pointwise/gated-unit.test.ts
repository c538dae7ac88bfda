import { test } from "vitest";
import { gatedUnit } from "../../../src/ops/pointwise/gated-unit.ts";
import type { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { geluGate } from "../../reference/gelu.ts";
import { siluGate } from "../../reference/silu-gate.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

for (const build of builds) {
  test(`gated by silu (${build}) is silu(gate)·up, with both gradients`, async () => {
    using gym = await Gym.open(build);
    const [gate, up] = [gym.param("gate", [3, 7]), gym.param("up", [3, 7])];
    const op = (tape: Tape) => gatedUnit(leaf(tape, gate), leaf(tape, up), "silu");
    expectClose("siluGate", run(gym, op), siluGate(gate.values(), up.values()).values, 1e-6, 1e-6);
    expectGradients(gym.engine, [gate, up], op);
    up.setTrainable(false);
    expectGradients(gym.engine, [gate], op);
  });

  test(`gated by gelu_new (${build}) is gelu(gate)·up in the tanh form, with both gradients`, async () => {
    using gym = await Gym.open(build);
    const [gate, up] = [gym.param("gate", [3, 7]), gym.param("up", [3, 7])];
    const op = (tape: Tape) => gatedUnit(leaf(tape, gate), leaf(tape, up), "gelu_new");
    expectClose("geluGate", run(gym, op), geluGate(gate.values(), up.values()).values, 1e-6, 1e-6);
    expectGradients(gym.engine, [gate, up], op);
    gate.setTrainable(false);
    expectGradients(gym.engine, [up], op);
  });
}
