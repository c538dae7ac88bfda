import { expect, test } from "vitest";
import { StateError } from "../../src/core/errors.ts";
import { add } from "../../src/ops/pointwise/add.ts";
import { gatedUnit } from "../../src/ops/pointwise/gated-unit.ts";
import { gelu } from "../../src/ops/pointwise/gelu.ts";
import { Tape, type Value } from "../../src/tape/tape.ts";
import { blockBytes, Gym, leaf, measure } from "../ops/gradients.ts";

const rows = [16, 64];
const one = blockBytes(16 * 64 * 4);

/** Five gelus on top of each other, each in a scope of its own or all in one. */
function tower(x: Value, scoped: boolean): Value {
  let y = x;
  for (let i = 0; i < 5; i++) {
    const below = y;
    y = scoped
      ? below.tape.scope(() => add(gelu(gelu(below, "erf"), "erf"), below))
      : add(gelu(gelu(below, "erf"), "erf"), below);
  }
  return y;
}

test("a plan computes nothing and its bytes are the peak of the run, forward and back", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", rows);
  for (const recording of [false, true]) {
    const step = (tape: Tape) => {
      const y = tower(leaf(tape, x), true);
      if (recording) tape.backward(y, 1);
    };
    const before = x.gradient().slice();
    Tape.plan(gym.engine, { recording }, step);
    expect(x.gradient()).toEqual(before);
    const { planned, peak } = measure(gym.engine, { recording }, step);
    expect(peak).toBe(planned);
  }
});

test("a plan refuses memory of a size that only a run would know", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", rows);
  const step = (tape: Tape) => void tape.alloc(tape.kernels.sum_squares_f32(x.ptr, 0, x.size));
  expect(() => Tape.plan(gym.engine, {}, step)).toThrow(StateError);
});

test("scopes give back what nobody needs: the peak is lower with them", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", rows);
  const peak = (scoped: boolean) => Tape.plan(gym.engine, {}, (tape) => void tower(leaf(tape, x), scoped));
  expect(peak(false)).toBe(16 * one);
  // The leaf, the results of five scopes (their Values have no scope around them) and two inside the last.
  expect(peak(true)).toBe(8 * one);
});

test("a scope in a scope gives back all but its result", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", rows);
  const { left } = measure(gym.engine, {}, (tape) => {
    tape.scope(() => tower(leaf(tape, x), true));
  });
  expect(left).toBe(one);
});

test("a scope that returns a Value from outside it gives back what it made", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", rows);
  const { left } = measure(gym.engine, {}, (tape) => {
    const given = leaf(tape, x);
    expect(tape.scope(() => (gelu(given, "erf") ? given : given))).toBe(given);
  });
  expect(left).toBe(one);
});

test("what the backward pass needs outlives its scope, and is given back once used", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", rows);
  const after = (backward: boolean) =>
    measure(gym.engine, { recording: true }, (tape) => {
      const y = tape.scope(() => gelu(leaf(tape, x), "erf"));
      if (backward) tape.backward(y, 1);
    }).left;
  expect(after(false)).toBe(2 * one);
  expect(after(true)).toBe(one);
});

test("an op is recorded only if a gradient must pass through it", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", rows, false);
  const { left } = measure(gym.engine, { recording: true }, (tape) => {
    const y = tape.scope(() => gelu(gelu(leaf(tape, x), "erf"), "erf"));
    expect(y.needsGrad).toBe(false);
  });
  expect(left).toBe(one);
});

test("a step without memory for it is an error, and the next step runs", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", rows);
  expect(() => Tape.run(gym.engine, one, {}, (tape) => gelu(leaf(tape, x), "erf"))).toThrow(
    "the step needs at least 8.2 kB of working memory, but 4.1 kB were reserved for it",
  );
  Tape.once(gym.engine, {}, (tape) => gelu(leaf(tape, x), "erf"));
});

test("backward on a tape that does not record, and memory from one that was released, are errors", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", rows);
  expect(() => Tape.once(gym.engine, {}, (tape) => tape.backward(leaf(tape, x), 1))).toThrow(StateError);
  const late = Tape.once(gym.engine, {}, (tape) => leaf(tape, x));
  expect(() => gelu(late, "erf")).toThrow("this tape was released: its step is over");
});

test("the backward pass of a loss seeded with s is s times that seeded with 1", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", rows);
  const gradient = (seed: number) => {
    x.gradient().fill(0);
    Tape.once(gym.engine, { recording: true }, (tape) => {
      const given = leaf(tape, x);
      tape.backward(gatedUnit(given, given, "silu"), seed);
    });
    return Array.from(x.gradient());
  };
  expect(gradient(4)).toEqual(gradient(1).map((g) => 4 * g));
});

test("random ops are numbered alike in a plan and in every run of the same step", async () => {
  using gym = await Gym.open("baseline");
  const streams: number[][] = [];
  const step = (tape: Tape) => void streams.push([tape.nextStream(), tape.nextStream()]);
  Tape.once(gym.engine, {}, step);
  Tape.once(gym.engine, {}, step);
  expect(streams).toEqual(Array.from({ length: 4 }, () => [0, 1]));
});

test("a Value of another tape is refused: one of the plan, and one of a step that is over", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", rows);
  let kept: Value | null = null;
  const step = (tape: Tape) => {
    kept ??= leaf(tape, x);
    return add(kept, leaf(tape, x));
  };
  expect(() => Tape.once(gym.engine, {}, step)).toThrow(StateError);
  expect(() => Tape.once(gym.engine, {}, step)).toThrow("a Value of another tape cannot be used");
});

test("backward counts each element once by default, and refuses a loss that depends on nothing trained", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [2, 2]);
  const step = (tape: Tape) => tape.backward(leaf(tape, x));
  Tape.once(gym.engine, { recording: true }, step);
  expect(Array.from(x.gradient())).toEqual([1, 1, 1, 1]);
  x.setTrainable(false);
  expect(() => Tape.once(gym.engine, { recording: true }, step)).toThrow(StateError);
  expect(() => Tape.once(gym.engine, { recording: true }, step)).toThrow(
    "depends on nothing that is trained; activate an adapter and make it trainable (setTrainable)",
  );
});

test("read gives the numbers of a Value with their shape, zeros in a plan", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [2, 3]);
  expect(Tape.once(gym.engine, {}, (tape) => tape.read(leaf(tape, x)))).toEqual({ data: x.values(), shape: [2, 3] });
  Tape.plan(gym.engine, {}, (tape) => {
    expect(tape.read(leaf(tape, x)).data).toEqual(new Float32Array(6));
  });
});
