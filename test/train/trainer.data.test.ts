/** Which examples come together, in which order, and examples from a stream. */
import { expect, test } from "vitest";
import type { TrainingArguments } from "../../src/train/arguments.ts";
import type { TrainingExample } from "../../src/train/check-examples.ts";
import { memoryRun } from "../../src/train/run/run-in-memory.ts";
import { Trainer } from "../../src/train/trainer.ts";
import type { TrainerOptions } from "../../src/train/trainer-options.ts";
import { examples, labelledExamples, tinyClassifier, tinyModel, valuesOf } from "./tiny.ts";

/** The batches of a run, as numbers of examples. */
async function batchesOf(more: Partial<TrainerOptions>, args: TrainingArguments = {}): Promise<number[][]> {
  const all = (more.trainDataset as TrainingExample[] | undefined) ?? examples(12);
  const batches: number[][] = [];
  const trainer = new Trainer({
    model: await tinyModel(),
    args: { numTrainEpochs: 2, perDeviceTrainBatchSize: 4, ...args },
    trainDataset: all,
    computeLoss(tape, batch, model) {
      if (!tape.planning) batches.push(batch.examples.map((example) => all.indexOf(example)));
      return model.loss(tape, batch);
    },
    ...more,
  });
  await trainer.train();
  return batches;
}

test("examples of a group come into the same batch in their order, in another order each epoch", async () => {
  const groupBy = (_: TrainingExample, i: number) => `pair ${i % 6}`;
  for (const args of [{ perDeviceTrainBatchSize: 5 }, { tokensPerBatch: 40 }]) {
    const batches = await batchesOf({ groupBy }, { maxSteps: null, ...args });
    const half = batches.slice(0, batches.length / 2);
    expect(half.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i));
    for (const batch of batches) {
      for (const i of batch.filter((each) => each < 6)) expect(batch[batch.indexOf(i) + 1]).toBe(i + 6);
      expect(batch.length % 2).toBe(0);
    }
    expect(batches.slice(batches.length / 2)).not.toEqual(half);
  }
  const inOrder = await batchesOf({ groupBy }, { shuffle: false, numTrainEpochs: 1 });
  expect(inOrder).toEqual([
    [0, 6, 1, 7],
    [2, 8, 3, 9],
    [4, 10, 5, 11],
  ]);
});

test("a group that is larger than a batch is refused with its examples", async () => {
  const run = batchesOf({ groupBy: (_, i) => Number(i < 5) });
  await expect(run).rejects.toThrow(
    "the group of examples 0, 1, 2, 3, 4 has 5 examples, more than the batch size of 4",
  );
});

test("a sampler orders, repeats and leaves out", async () => {
  const sampler = (epoch: number, count: number) => (epoch === 0 ? [3, 3, 1, 0, 2] : [count - 1, 0]);
  expect(await batchesOf({ sampler })).toEqual([[3, 3, 1, 0], [2], [11, 0]]);
  await expect(batchesOf({ sampler: () => [12] })).rejects.toThrow("sampler: epoch 0 has the index 12, expected");
  await expect(batchesOf({ sampler: () => [] })).rejects.toThrow("sampler: epoch 0 has no example");
  await expect(batchesOf({ sampler, groupBy: () => 1 })).rejects.toThrow('"sampler" and "groupBy" both');
});

test("a run with groups resumes bit for bit, and not with other groups", async () => {
  const run = async (outputDir = memoryRun(), stopAfter = 0, resume = false, share = 3) => {
    const model = await tinyClassifier();
    const stop = new AbortController();
    const trainer = new Trainer({
      model,
      args: { maxSteps: 5, perDeviceTrainBatchSize: 3, learningRate: 0.01 },
      trainDataset: labelledExamples(12),
      groupBy: (_, i) => Math.floor(i / share),
      outputDir,
      signal: stop.signal,
      onProgress: ({ step }) => step === stopAfter && stop.abort(),
    });
    await trainer.train({ resume });
    return valuesOf(model);
  };
  const whole = await run();
  const outputDir = memoryRun();
  await run(outputDir, 2);
  await expect(run(outputDir, 0, true, 2)).rejects.toThrow("order: was");
  expect(await run(outputDir, 0, true)).toEqual(whole);
});

/** A stream of the same examples, which counts how many were read. */
function streamOf(all: readonly TrainingExample[], read: { count: number }): AsyncIterable<TrainingExample> {
  return {
    async *[Symbol.asyncIterator]() {
      for (const example of all) {
        read.count++;
        yield example;
      }
    },
  };
}

test("a stream is read as far as the run needs, and gives the run of the same examples in a list", async () => {
  const all = examples(40);
  const args = { maxSteps: 3, perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 2, learningRate: 0.01 };
  const run = async (trainDataset: TrainerOptions["trainDataset"]) => {
    const model = await tinyModel();
    await new Trainer({ model, args, trainDataset }).train();
    return valuesOf(model);
  };
  const read = { count: 0 };
  expect(await run(streamOf(all, read))).toEqual(await run(all.slice(0, 12)));
  expect(read.count).toBe(12);
});

test("without maxSteps a stream is read to its end, and resumed bit for bit", async () => {
  const read = { count: 0 };
  const run = async (outputDir = memoryRun(), stopAfter = 0, resume = false) => {
    const model = await tinyModel();
    const stop = new AbortController();
    const trainer = new Trainer({
      model,
      args: { numTrainEpochs: 2, perDeviceTrainBatchSize: 4, learningRate: 0.01 },
      trainDataset: streamOf(examples(12), read),
      evalDataset: streamOf(examples(4, 8), { count: 0 }),
      outputDir,
      signal: stop.signal,
      onProgress: ({ step }) => step === stopAfter && stop.abort(),
    });
    expect(() => trainer.steps).toThrow("call prepare() or train() first");
    await trainer.prepare();
    expect([trainer.steps, read.count]).toEqual([6, 12]);
    read.count = 0;
    await trainer.train({ resume });
    return valuesOf(model);
  };
  const whole = await run();
  const outputDir = memoryRun();
  await run(outputDir, 4);
  expect(await run(outputDir, 0, true)).toEqual(whole);
});

test("what is no example is refused, in lists and in streams", async () => {
  const model = await tinyModel();
  const rows = [{ text: "a row" }] as never;
  expect(() => new Trainer({ model, trainDataset: rows })).toThrow(
    "example 0: inputIds is missing, expected an Int32Array, as encodeRows or loadDataset make it",
  );
  const lists = [{ inputIds: [1, 2], labels: [1, 2] }] as never;
  expect(() => new Trainer({ model, trainDataset: lists })).toThrow("inputIds is a list, expected an Int32Array");
  const stream = new Trainer({ model, trainDataset: streamOf(rows, { count: 0 }) });
  await expect(stream.prepare()).rejects.toThrow("training data: example 0: inputIds is missing");
});
