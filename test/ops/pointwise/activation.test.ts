import { expect, test } from "vitest";
import {
  activation,
  activations,
  leakyRelu,
  relu,
  sigmoid,
  silu,
  tanh,
} from "../../../src/ops/pointwise/activation.ts";
import type { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { geluErf } from "../../reference/gelu.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

/** Of one number, in f64. */
const published: Record<(typeof activations)[number], (x: number) => number> = {
  relu: (x) => Math.max(x, 0),
  gelu: (x) => geluErf([x]).values[0]!,
  gelu_new: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  swish: (x) => x / (1 + Math.exp(-x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  linear: (x) => x,
  leakyrelu: (x) => (x > 0 ? x : 0.01 * x),
};

for (const build of builds) {
  test.each(activations)(`activation %s (${build}) is the published function, with its gradient`, async (name) => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [3, 7]);
    x.values().forEach((v, i, values) => {
      values[i] = 2 * v + (v < 0 ? -0.1 : 0.1); // the differences may not step over the kink at 0
    });
    const op = (tape: Tape) => activation(leaf(tape, x), name);
    expectClose(name, run(gym, op), Array.from(x.values(), published[name]), 1e-6, 1e-6);
    expectGradients(gym.engine, [x], op);
  });

  test(`leakyRelu (${build}) has the slope that it is given`, async () => {
    using gym = await Gym.open(build);
    const x = gym.param("x", [2]);
    x.values().set([-2, 3]);
    const op = (tape: Tape) => leakyRelu(leaf(tape, x), 0.25);
    expect(Array.from(run(gym, op))).toEqual([-0.5, 3]);
    expectGradients(gym.engine, [x], op);
  });

  test.each(["relu", "sigmoid", "silu", "tanh"] as const)(
    `%s (${build}) is the activation of its name`,
    async (name) => {
      using gym = await Gym.open(build);
      const named = { relu, sigmoid, silu, tanh }[name];
      const x = gym.param("x", [2, 5]);
      const op = (tape: Tape) => named(leaf(tape, x));
      expect(run(gym, op)).toEqual(run(gym, (tape) => activation(leaf(tape, x), name)));
      expectGradients(gym.engine, [x], op);
    },
  );
}
