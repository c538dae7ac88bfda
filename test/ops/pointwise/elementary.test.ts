import { test } from "vitest";
import { abs, clamp, exp, log, logSigmoid, sqrt } from "../../../src/ops/pointwise/elementary.ts";
import type { Tape, Value } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { builds, expectGradients, Gym, leaf, run } from "../gradients.ts";

/** Each function, in f64 too, and whether it wants positive arguments. */
const functions: Record<string, { op: (x: Value) => Value; of: (x: number) => number; positive?: boolean }> = {
  abs: { op: abs, of: Math.abs },
  clamp: { op: (x) => clamp(x, -0.45, 0.35), of: (x) => Math.min(Math.max(x, -0.45), 0.35) },
  exp: { op: exp, of: Math.exp },
  log: { op: log, of: Math.log, positive: true },
  logSigmoid: { op: logSigmoid, of: (x) => -Math.log(1 + Math.exp(-x)) },
  sqrt: { op: sqrt, of: Math.sqrt, positive: true },
};

for (const build of builds) {
  test.each(Object.entries(functions))(
    `%s (${build}) is the function of f64, with its gradient`,
    async (_name, { op, of, positive }) => {
      using gym = await Gym.open(build);
      const x = gym.param("x", [3, 5]);
      // 0.5 and more where the argument must be positive; nothing near a kink.
      const values = Array.from({ length: 15 }, (_, i) => (positive ? 0.5 + 0.3 * i : 0.2 * (i - 7) + 0.07));
      x.values().set(values);
      expectClose(
        "values",
        run(gym, (tape) => op(leaf(tape, x))),
        Array.from(x.values(), of),
        1e-6,
        1e-6,
      );
      expectGradients(gym.engine, [x], (tape: Tape) => op(leaf(tape, x)));
    },
  );
}

test("logSigmoid and its gradient are finite far from 0", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [1, 3]);
  x.values().set([-1000, 0, 1000]);
  expectClose(
    "values",
    run(gym, (tape) => logSigmoid(leaf(tape, x))),
    [-1000, -Math.log(2), 0],
    1e-7,
    1e-7,
  );
});
