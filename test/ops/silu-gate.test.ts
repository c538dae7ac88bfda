import { test } from "vitest";
import { siluGate } from "../../src/ops/silu-gate.ts";
import type { Tape } from "../../src/tape/tape.ts";
import { expectClose } from "../golden-files.ts";
import { siluGate as gated } from "../reference/silu-gate.ts";
import { builds, expectGradients, Gym, leaf, run } from "./gradients.ts";

for (const build of builds) {
  test(`siluGate (${build}) is silu(gate)·up, with both gradients`, async () => {
    using gym = await Gym.open(build);
    const [gate, up] = [gym.param("gate", [3, 7]), gym.param("up", [3, 7])];
    const op = (tape: Tape) => siluGate(leaf(tape, gate), leaf(tape, up));
    expectClose("siluGate", run(gym, op), gated(gate.values(), up.values()).values, 1e-6, 1e-6);
    expectGradients(gym.engine, [gate, up], op);
    up.setTrainable(false);
    expectGradients(gym.engine, [gate], op);
  });
}
