import { expect, test } from "vitest";
import { type Rotation, rotate } from "../../../src/ops/attention/rotary.ts";
import { reshape } from "../../../src/ops/layout/reshape.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { expectClose } from "../../golden-files.ts";
import { rotary } from "../../reference/rotary.ts";
import { builds, expectGradients, Gym, leaf } from "../gradients.ts";

const headDim = 6;

for (const build of builds) {
  test(`rotate (${build}) turns each head in place and its gradient turns back`, async () => {
    using gym = await Gym.open(build);
    const [rotaryDim, half] = [4, 2];
    const [cos, sin] = [gym.frozen("cos", [9, half]), gym.frozen("sin", [9, half])];
    const positions = [0, 1, 2, 5, 8];
    const x = gym.param("x", [5, 3 * headDim]);
    const rotation = (tape: Tape): Rotation => ({
      positions: tape.upload(Int32Array.from(positions)),
      cos: cos.ptr,
      sin: sin.ptr,
      rotaryDim,
    });
    const op = (tape: Tape) => rotate(reshape(leaf(tape, x), x.shape), 3, rotation(tape)); // a copy: it turns in place
    const table = (t: typeof cos) => gym.engine.memory.f32(t.ptr, 9 * half);
    const want = rotary(x.values(), positions, table(cos), table(sin), { heads: 3, headDim, rotaryDim, direction: 1 });
    const y = Tape.once(gym.engine, {}, (tape) => {
      const given = leaf(tape, x);
      expect(rotate(given, 3, rotation(tape))).toBe(given);
      return tape.download(given);
    });
    expectClose("rotate", y, want.values, 1e-6, 1e-6);
    expectGradients(gym.engine, [x], op);
  });
}
