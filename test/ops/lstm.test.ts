import { expect, test } from "vitest";
import { bidirectionalLstm, type LstmWeights, lstm } from "../../src/ops/lstm.ts";
import { Tape } from "../../src/tape/tape.ts";
import { expectClose } from "../golden-files.ts";
import { builds, expectGradients, Gym, leaf } from "./gradients.ts";

const [ROWS, INPUTS, HIDDEN] = [4, 3, 2];

function weightsIn(gym: Gym, name: string): LstmWeights {
  return {
    inputWeight: gym.param(`${name} input weight`, [4 * HIDDEN, INPUTS]),
    hiddenWeight: gym.param(`${name} hidden weight`, [4 * HIDDEN, HIDDEN]),
    inputBias: gym.param(`${name} input bias`, [4 * HIDDEN]),
    hiddenBias: gym.param(`${name} hidden bias`, [4 * HIDDEN]),
  };
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** The definition, number by number in f64. */
function states(x: Float32Array, weights: LstmWeights, reverse: boolean): number[] {
  const [wi, wh, bi, bh] = [weights.inputWeight, weights.hiddenWeight, weights.inputBias, weights.hiddenBias].map((p) =>
    Array.from(p.values()),
  ) as [number[], number[], number[], number[]];
  let [h, c] = [Array(HIDDEN).fill(0) as number[], Array(HIDDEN).fill(0) as number[]];
  const all: number[][] = [];
  for (let step = 0; step < ROWS; step++) {
    const t = reverse ? ROWS - 1 - step : step;
    const gate = (g: number, j: number) => {
      const row = g * HIDDEN + j;
      let sum = bi[row]! + bh[row]!;
      for (let k = 0; k < INPUTS; k++) sum += wi[row * INPUTS + k]! * x[t * INPUTS + k]!;
      for (let k = 0; k < HIDDEN; k++) sum += wh[row * HIDDEN + k]! * h[k]!;
      return sum;
    };
    c = c.map((old, j) => sigmoid(gate(1, j)) * old + sigmoid(gate(0, j)) * Math.tanh(gate(2, j)));
    h = c.map((value, j) => sigmoid(gate(3, j)) * Math.tanh(value));
    all[t] = h;
  }
  return all.flat();
}

for (const build of builds) {
  test.each([false, true])(
    `lstm (${build}) is its definition, with gradients to all it reads; reverse: %s`,
    async (reverse) => {
      using gym = await Gym.open(build);
      const x = gym.param("x", [ROWS, INPUTS]);
      const weights = weightsIn(gym, "");
      const op = (tape: Tape) => lstm(leaf(tape, x), weights, { reverse });
      const got = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
      expectClose("states", got, states(x.values(), weights, reverse), 1e-6, 1e-6);
      expectGradients(gym.engine, [x, ...Object.values(weights)], op);
    },
  );
}

test("both directions stand side by side", async () => {
  using gym = await Gym.open("baseline");
  const x = gym.param("x", [ROWS, INPUTS]);
  const [forward, backward] = [weightsIn(gym, "forward"), weightsIn(gym, "backward")];
  const op = (tape: Tape) => bidirectionalLstm(leaf(tape, x), forward, backward);
  const got = Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));
  const [left, right] = [states(x.values(), forward, false), states(x.values(), backward, true)];
  const want = Array.from({ length: ROWS }, (_, t) =>
    [left, right].flatMap((side) => side.slice(t * HIDDEN, (t + 1) * HIDDEN)),
  );
  expectClose("states", got, want.flat(), 1e-6, 1e-6);
  expect(got.length).toBe(ROWS * 2 * HIDDEN);
  expectGradients(gym.engine, [x, ...Object.values(forward), ...Object.values(backward)], op);
});
