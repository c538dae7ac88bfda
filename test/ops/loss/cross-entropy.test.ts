import { expect, test } from "vitest";
import { crossEntropy, headCrossEntropy } from "../../../src/ops/loss/cross-entropy.ts";
import { Tape, type Value } from "../../../src/tape/tape.ts";
import { readElements } from "../../../src/tensor/elements.ts";
import { expectClose } from "../../golden-files.ts";
import { crossEntropy as losses } from "../../reference/head.ts";
import { builds, expectGradients, Gym, leaf, measure } from "../gradients.ts";

/** Entries of the vocabulary that the op takes at a time; a test below fails should that no longer be so. */
const CHUNK = 2048;
const width = 3;
const place = (tape: Tape, labels: readonly number[]) => ({
  tape,
  ptr: tape.upload(Int32Array.from(labels)),
  count: labels.length,
});
/** h·Wᵀ in f64. */
const logitsOf = (h: Float32Array, w: Float32Array) =>
  Float64Array.from({ length: (h.length / width) * (w.length / width) }, (_, e) => {
    const [row, id] = [Math.floor(e / (w.length / width)), e % (w.length / width)];
    let sum = 0;
    for (let c = 0; c < width; c++) sum += h[row * width + c]! * w[id * width + c]!;
    return sum;
  });
const run = (gym: Gym, op: (tape: Tape) => Value) => Tape.once(gym.engine, {}, (tape) => tape.download(op(tape)));

for (const build of builds) {
  test(`crossEntropy (${build}) is the loss of f64, with the gradient of the logits`, async () => {
    using gym = await Gym.open(build);
    const labels = [3, 0, 8, 3, 5];
    const logits = gym.param("logits", [5, 9]);
    const op = (tape: Tape) => crossEntropy(leaf(tape, logits), place(tape, labels));
    expectClose("loss", run(gym, op), losses(logits.values(), labels).loss.values, 1e-6, 1e-6);
    expectGradients(gym.engine, [logits], op);
  });

  test.each([1, 6])(
    `headCrossEntropy (${build}), %i rows, trained head: loss and the gradients of h and W`,
    async (rows) => {
      using gym = await Gym.open(build);
      const labels = [3, 0, 8, 3, 5, 1].slice(0, rows);
      const [h, w] = [gym.param("h", [rows, width]), gym.param("w", [9, width])];
      const op = (tape: Tape) => headCrossEntropy(leaf(tape, h), w, place(tape, labels));
      expectClose("loss", run(gym, op), losses(logitsOf(h.values(), w.values()), labels).loss.values, 1e-6, 1e-6);
      expectGradients(gym.engine, [h, w], op);
      h.setTrainable(false);
      expectGradients(gym.engine, [w], op);
    },
  );

  test.each(["f32", "f16", "bf16"] as const)(
    `headCrossEntropy (${build}), head frozen in %s, three chunks of the vocabulary`,
    async (dtype) => {
      using gym = await Gym.open(build);
      const vocabulary = 2 * CHUNK + 5;
      const labels = [0, CHUNK - 1, CHUNK, 2 * CHUNK, 2 * CHUNK + 4];
      const [h, w] = [gym.param("h", [labels.length, width]), gym.frozen("w", [vocabulary, width], dtype)];
      const op = (tape: Tape) => headCrossEntropy(leaf(tape, h), w, place(tape, labels));
      const logits = logitsOf(h.values(), readElements(gym.engine.memory, w));
      expectClose("loss", run(gym, op), losses(logits, labels).loss.values, 2e-6, 2e-6);
      expectGradients(gym.engine, [h], op);
    },
  );

  test(`headCrossEntropy (${build}): a trained head of several chunks gets the gradient of a whole one`, async () => {
    using gym = await Gym.open(build);
    const [vocabulary, labels] = [CHUNK + 7, [0, CHUNK - 1, CHUNK, CHUNK + 6]];
    const [h, w] = [gym.param("h", [labels.length, width]), gym.param("w", [vocabulary, width])];
    Tape.once(gym.engine, { recording: true }, (tape) =>
      tape.backward(headCrossEntropy(leaf(tape, h), w, place(tape, labels)), 0.25),
    );
    const logits = logitsOf(h.values(), w.values());
    const lse = losses(logits, labels).lse.values;
    const want = new Float64Array(w.size);
    logits.forEach((l, e) => {
      const [row, id] = [Math.floor(e / vocabulary), e % vocabulary];
      const dl = 0.25 * (Math.exp(l - lse[row]!) - (labels[row] === id ? 1 : 0));
      for (let c = 0; c < width; c++) want[id * width + c]! += dl * h.values()[row * width + c]!;
    });
    expectClose("dW", w.gradient(), want, 1e-6, 1e-5);
  });
}

test("logits never exist as a whole: memory grows with a chunk of the vocabulary, not with the vocabulary", async () => {
  using gym = await Gym.open("baseline");
  const labels = Array.from({ length: 64 }, (_, i) => i);
  const h = gym.param("h", [labels.length, width]);
  const peak = (vocabulary: number) => {
    const w = gym.frozen("w", [vocabulary, width]);
    return measure(gym.engine, { recording: true }, (tape) => {
      tape.backward(headCrossEntropy(leaf(tape, h), w, place(tape, labels)), 1);
    }).peak;
  };
  const whole = peak(CHUNK);
  expect(whole).toBeGreaterThan(labels.length * CHUNK * 4);
  expect(peak(8 * CHUNK)).toBe(whole);
});

test("headCrossEntropy names the head whose width does not fit", async () => {
  using gym = await Gym.open("baseline");
  const [h, w] = [gym.param("h", [2, 4]), gym.frozen("lm_head.weight", [9, 3])];
  expect(() => Tape.plan(gym.engine, {}, (tape) => headCrossEntropy(leaf(tape, h), w, place(tape, [1, 2])))).toThrow(
    'hidden rows: last axis of [2, 4] must be 3, the width of "lm_head.weight"',
  );
});
