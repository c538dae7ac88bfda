/** Own losses and collators. */
import { expect, test, vi } from "vitest";
import { concatenateLabelled } from "../../src/nn/pass/sequences.ts";
import { gatherRows } from "../../src/ops/embed/embedding.ts";
import { scaleBy } from "../../src/ops/pointwise/elementwise.ts";
import type { Tape } from "../../src/tape/tape.ts";
import type { TrainingArguments } from "../../src/train/arguments.ts";
import type { ComputeLoss } from "../../src/train/objective.ts";
import type { Trainable } from "../../src/train/trainable.ts";
import { Trainer } from "../../src/train/trainer.ts";
import type { TrainerOptions } from "../../src/train/trainer-options.ts";
import type { Arena } from "../../src/wasm/arena.ts";
import { examples, tinyDropoutModel, tinyModel, valuesOf } from "./tiny.ts";

/** With eps far above the gradients AdamW moves by lr·g/eps: differences of gradients show. */
const linear = { learningRate: 1e3, adamEpsilon: 1e4 };

type Values = Map<string, Float32Array>;

async function trained(more: Partial<TrainerOptions>, args: TrainingArguments = {}) {
  const model = await tinyModel();
  const norms: number[] = [];
  const trainer = new Trainer({
    model,
    trainDataset: examples(16),
    args: { maxSteps: 3, ...linear, maxGradNorm: 0, ...args },
    onProgress: ({ gradNorm }) => norms.push(gradNorm),
    ...more,
  });
  return { ...(await trainer.train()), norms, values: valuesOf(model) };
}

function expectClose(one: Values, other: Values, start: Values): void {
  for (const [name, values] of one) {
    const moved = Math.max(...values.map((v, i) => Math.abs(v - start.get(name)![i]!)));
    const apart = Math.max(...values.map((v, i) => Math.abs(v - other.get(name)![i]!)));
    expect(moved).toBeGreaterThan(0);
    expect(apart / moved).toBeLessThan(1e-4);
  }
}

const same: ComputeLoss<Trainable> = (tape, batch, model) => model.loss(tape, batch);

test("the model's own loss as an own loss is the same run, up to rounding, however it is accumulated", async () => {
  const start = valuesOf(await tinyModel());
  const args = { perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2 };
  const plain = await trained({}, args);
  const own = await trained({ computeLoss: same }, args);
  const whole = await trained({ computeLoss: same }, { perDeviceTrainBatchSize: 8 });
  for (const { trainLoss, norms, values } of [own, whole]) {
    expect(trainLoss).toBeCloseTo(plain.trainLoss, 5);
    norms.forEach((norm, i) => {
      expect(norm).toBeCloseTo(plain.norms[i]!, 4);
    });
    expectClose(values, plain.values, start);
  }
});

test("a loss for the whole batch is averaged over batches; a count says what a batch counts for", async () => {
  const args = { maxSteps: 1, perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 4, shuffle: false };
  const sums = vi.fn();
  const scalar: ComputeLoss<Trainable> = (tape, batch, model) => {
    const losses = scaleBy(model.loss(tape, batch), 0.5);
    const first = gatherRows(losses, { tape, ptr: tape.upload(Int32Array.of(0)), count: 1 });
    if (!tape.planning) sums(tape.download(first)[0]);
    return first;
  };
  const { trainLoss } = await trained({ computeLoss: scalar }, args);
  const found = sums.mock.calls.map(([loss]) => loss as number);
  expect(found).toHaveLength(4);
  expect(trainLoss).toBeCloseTo(found.reduce((a, b) => a + b, 0) / 4, 10);

  const labels = examples(8).reduce((sum, e) => sum + e.labels.slice(1).filter((l) => l >= 0).length, 0);
  const plain = await trained({}, args);
  const perRow = await trained(
    { computeLoss: (tape, batch, model) => ({ losses: model.loss(tape, batch), count: batch.examples.length }) },
    args,
  );
  expect(perRow.trainLoss).toBeCloseTo((plain.trainLoss * labels) / 8, 4);
  expect(perRow.norms[0]!).toBeCloseTo((plain.norms[0]! * labels) / 8, 3);
});

test("clipping, checkpointing and dropout act on an own loss as on the model's", async () => {
  const run = async (gradientCheckpointing: boolean, computeLoss: ComputeLoss<Trainable> | null) => {
    const model = await tinyDropoutModel();
    const args = { maxSteps: 2, ...linear, maxGradNorm: 0.1, gradientCheckpointing };
    const { trainLoss } = await new Trainer({ model, args, trainDataset: examples(16), computeLoss }).train();
    return { trainLoss, values: valuesOf(model) };
  };
  const own = await run(false, same);
  expect(await run(true, same)).toEqual(own);
  const plain = await run(false, null);
  expect(own.trainLoss).toBeCloseTo(plain.trainLoss, 5);
  expectClose(own.values, plain.values, valuesOf(await tinyDropoutModel()));
});

test("what an own loss takes is planned, evaluation included", async () => {
  const model = await tinyDropoutModel();
  const { engine } = model;
  const arenas = new Set<Arena>();
  const take = engine.takeArena.bind(engine);
  vi.spyOn(engine, "takeArena").mockImplementation((bytes) => {
    const arena = take(bytes);
    arenas.add(arena);
    return arena;
  });
  const computeLoss: ComputeLoss<Trainable> = (tape, batch, of) => {
    of.outputs(tape, batch); // more than the model's own loss takes
    return of.loss(tape, batch);
  };
  const trainer = new Trainer({
    model,
    args: { maxSteps: 4, perDeviceTrainBatchSize: 3 },
    trainDataset: examples(12),
    evalDataset: examples(5, 8),
    computeLoss,
  });
  const announced = trainer.plan();
  const plain = new Trainer({ model, args: { maxSteps: 4, perDeviceTrainBatchSize: 3 }, trainDataset: examples(12) });
  expect(announced).toBeGreaterThan(plain.plan());
  await trainer.train();
  expect(Math.max(...[...arenas].map(({ peakBytes }) => peakBytes))).toBe(announced);
});

test("evaluation uses the own loss, without a perplexity", async () => {
  const model = await tinyModel();
  const evalDataset = examples(6, 8);
  const given = { model, trainDataset: examples(4), evalDataset };
  const plain = await new Trainer(given).evaluate();
  const own = await new Trainer({
    ...given,
    computeLoss: (tape, batch, of) => scaleBy(of.loss(tape, batch), 3),
  }).evaluate();
  expect(own.eval_loss).toBeCloseTo(3 * plain.eval_loss, 5);
  expect(own.perplexity).toBeUndefined();
});

test("what is no loss is refused", async () => {
  const model = await tinyModel();
  const failing = (computeLoss: unknown) =>
    new Trainer({ model, trainDataset: examples(4), computeLoss: computeLoss as never, args: { maxSteps: 1 } }).train();
  await expect(failing(() => undefined)).rejects.toThrow("computeLoss returned undefined, expected a Value");
  await expect(failing(() => 3)).rejects.toThrow("computeLoss returned a number, expected a Value");
  await expect(failing((tape: never) => (tape as Tape).value([1]))).rejects.toThrow("nothing to learn");
  const none: ComputeLoss<Trainable> = (tape, batch, of) => ({ losses: of.loss(tape, batch), count: 0 });
  await expect(failing(none)).rejects.toThrow("computeLoss: count is 0, expected a number above 0");
  const cached = { model, trainDataset: examples(4), computeLoss: same, args: { cacheFrozen: 1e6 } };
  expect(() => new Trainer(cached)).toThrow("leave it out with computeLoss");
});

test("an own collator makes the batches, the same ones in a plan, in the run, and in a repeated run", async () => {
  const seen: string[] = [];
  const collate: NonNullable<TrainerOptions["dataCollator"]> = (chosen, { seed, training }) => {
    // Each example once more without its last token, and one token changed by the seed.
    const more = chosen.flatMap((e) => [
      { inputIds: e.inputIds.map((id, t) => (t === 0 ? seed[1] % 32 : id)), labels: e.labels },
      { inputIds: e.inputIds.slice(0, -1), labels: e.labels.slice(0, -1) },
    ]);
    seen.push(`${training} ${seed[1]}`);
    return concatenateLabelled(more);
  };
  const options = { dataCollator: collate, evalDataset: examples(3, 8) };
  const first = await trained(options, { perDeviceTrainBatchSize: 4 });
  expect(new Set(seen)).toEqual(new Set(["true 0", "true 1", "true 2", "false 0"]));
  expect(await trained(options, { perDeviceTrainBatchSize: 4 })).toEqual(first);
  expect(first.trainLoss).not.toBeCloseTo((await trained({}, { perDeviceTrainBatchSize: 4 })).trainLoss, 3);
  const broken = (found: unknown) => trained({ dataCollator: (() => found) as never });
  await expect(broken({})).rejects.toThrow("dataCollator: ids is missing, expected what concatenateLabelled");
  const short = { ...concatenateLabelled(examples(2)), starts: Int32Array.of(0, 1) };
  await expect(broken(short)).rejects.toThrow(/dataCollator: starts has 2 entries up to 1 for \d+ ids/);
});
