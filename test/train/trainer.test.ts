import { expect, test, vi } from "vitest";
import { memoryRun } from "../../src/train/run/run-in-memory.ts";
import type { Trainable } from "../../src/train/trainable.ts";
import { Trainer, type TrainerOptions, type TrainingArguments } from "../../src/train/trainer.ts";
import type { Arena } from "../../src/wasm/arena.ts";
import { examples, tinyDropoutModel, tinyModel, valuesOf } from "./tiny.ts";

test("the loss falls far below the entropy of the data when eight examples are learned by heart", async () => {
  const model = await tinyModel();
  const losses: number[] = [];
  const trainer = new Trainer({
    model,
    args: { maxSteps: 60, learningRate: 0.02, lrSchedulerType: "constant" },
    trainDataset: examples(8),
    onProgress: ({ loss }) => losses.push(loss),
  });
  await trainer.train();
  expect(losses.length).toBe(60);
  expect(losses[0]!).toBeGreaterThan(3);
  expect(losses.at(-1)!).toBeLessThan(0.3);
});

test("the peak of the arena is what was announced, and memory stays as it is after the second step", async () => {
  const model = await tinyDropoutModel();
  const { engine } = model;
  const arenas = new Set<Arena>();
  const take = engine.takeArena.bind(engine);
  vi.spyOn(engine, "takeArena").mockImplementation((bytes) => {
    const arena = take(bytes);
    arenas.add(arena);
    return arena;
  });
  const sizes: [number, number][] = [];
  const trainer = new Trainer({
    model,
    args: { numTrainEpochs: 3, perDeviceTrainBatchSize: 3, gradientAccumulationSteps: 2, evalSteps: 2 },
    trainDataset: examples(20),
    evalDataset: examples(11, 8),
    onProgress: () => sizes.push([engine.memory.byteLength, engine.memory.usedBytes]),
  });
  const announced = trainer.plan();
  await trainer.train();
  expect(arenas.size).toBe(1);
  expect([...arenas][0]!.peakBytes).toBe(announced);
  expect(sizes.length).toBe(12);
  expect(new Set(sizes.slice(1).map(String)).size).toBe(1);
});

test("a run gives back all the memory it took but the arena", async () => {
  const model = await tinyModel();
  const trainer = new Trainer({ model, args: { maxSteps: 2 }, trainDataset: examples(4) });
  await trainer.train();
  const used = model.engine.memory.usedBytes;
  await trainer.train();
  expect(model.engine.memory.usedBytes).toBe(used);
});

/** Parameters after one step of plain descent on the same 8 examples, cut into micro-batches of `size`. */
async function afterOneStep(size: number): Promise<Map<string, Float32Array>> {
  const model = await tinyModel();
  const args = { maxSteps: 1, perDeviceTrainBatchSize: size, gradientAccumulationSteps: 8 / size, shuffle: false };
  // With eps far above the gradients AdamW moves by lr·g/eps: differences of gradients show.
  await new Trainer({
    model,
    args: { ...args, learningRate: 1e3, adamEpsilon: 1e4, maxGradNorm: 0 },
    trainDataset: examples(8),
  }).train();
  return valuesOf(model);
}

test("cutting a step into micro-batches of uneven lengths changes it by rounding only", async () => {
  const start = valuesOf(await tinyModel());
  const whole = await afterOneStep(8);
  for (const size of [1, 2, 4]) {
    for (const [name, values] of await afterOneStep(size)) {
      const moved = Math.max(...values.map((v, i) => Math.abs(v - start.get(name)![i]!)));
      const apart = Math.max(...values.map((v, i) => Math.abs(v - whole.get(name)![i]!)));
      expect(moved).toBeGreaterThan(0);
      expect(apart).toBeLessThan(2e-5 * moved + 1e-7);
    }
  }
});

test("training is the same on every run, and differs with the seed", async () => {
  const run = async (seed: number) => {
    const model = await tinyDropoutModel();
    const trainer = new Trainer({ model, args: { maxSteps: 3, learningRate: 0.01, seed }, trainDataset: examples(20) });
    return { ...(await trainer.train()), values: valuesOf(model) };
  };
  const first = await run(1);
  expect(await run(1)).toEqual(first);
  expect((await run(2)).loss).not.toBe(first.loss);
});

test("dropout of the settings replaces the model's during the run and not after it", async () => {
  const losses = async (dropout: number | null) => {
    const model = await tinyDropoutModel();
    const { loss } = await new Trainer({ model, args: { maxSteps: 2, dropout }, trainDataset: examples(8) }).train();
    expect(model.dropout).toBe(null);
    return loss;
  };
  const [own, none, much] = [await losses(null), await losses(0), await losses(0.7)];
  expect(new Set([own, none, much]).size).toBe(3);
  expect(await losses(0.2)).toBe(own);
});

test("evaluation is the mean over label tokens, however they are batched", async () => {
  const model = await tinyModel();
  const trainDataset = examples(13);
  const byOne = await new Trainer({ model, args: { perDeviceEvalBatchSize: 1 }, trainDataset }).evaluate(trainDataset);
  const byTokens = await new Trainer({ model, args: { tokensPerBatch: 30 }, trainDataset }).evaluate(trainDataset);
  expect(byTokens.tokens).toBe(byOne.tokens);
  expect(byTokens.loss).toBeCloseTo(byOne.loss, 6);
  expect(byOne.perplexity).toBe(Math.exp(byOne.loss));
});

test("epochs, batches and accumulation give transformers' number of steps", async () => {
  const model = await tinyModel();
  const steps = (args: TrainingArguments) => new Trainer({ model, args, trainDataset: examples(10) }).steps;
  expect(steps({ numTrainEpochs: 3, perDeviceTrainBatchSize: 4 })).toBe(9);
  expect(steps({ numTrainEpochs: 3, perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2 })).toBe(6);
  expect(steps({ numTrainEpochs: 1.5, perDeviceTrainBatchSize: 4 })).toBe(5);
  expect(steps({ numTrainEpochs: 0.1, perDeviceTrainBatchSize: 10 })).toBe(1);
  expect(steps({ numTrainEpochs: 3, maxSteps: 7 })).toBe(7);
});

test("batches by token budget see every example once an epoch", async () => {
  const model = await tinyModel();
  const trainDataset = examples(10);
  const all = trainDataset.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  let tokens = 0;
  const onProgress = (report: { tokens: number }) => {
    tokens = report.tokens;
  };
  await new Trainer({ model, args: { numTrainEpochs: 2, tokensPerBatch: 25 }, trainDataset, onProgress }).train();
  expect(tokens).toBe(2 * all);
});

test("reports come every loggingSteps with transformers' keys and the mean loss since the last one", async () => {
  const losses: number[] = [];
  const log: Readonly<Record<string, number>>[] = [];
  const trainer = new Trainer({
    model: await tinyModel(),
    args: { maxSteps: 4, loggingSteps: 2, perDeviceTrainBatchSize: 3, warmupSteps: 2, learningRate: 0.01 },
    trainDataset: examples(6),
    onProgress: ({ loss }) => losses.push(loss),
    onLog: (entry) => log.push(entry),
  });
  await trainer.train();
  expect(log.map(({ step }) => step)).toEqual([2, 4, 4]);
  expect(Object.keys(log[0]!)).toEqual(["loss", "grad_norm", "learning_rate", "epoch", "step"]);
  expect(log[0]!.loss).toBe((losses[0]! + losses[1]!) / 2);
  expect(log[1]!.loss).toBe((losses[2]! + losses[3]!) / 2);
  expect(log.map((entry) => entry.learning_rate)).toEqual([0.005, 0.005, undefined]);
  expect(log.map(({ epoch }) => epoch)).toEqual([1, 2, 2]);
  expect(log[2]!.train_loss).toBeCloseTo(losses.reduce((a, b) => a + b) / 4, 12);
});

test("timers have their turn during training", async () => {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 0);
  const trainer = new Trainer({
    model: await tinyModel(),
    args: { maxSteps: 1e5 },
    trainDataset: examples(8),
    signal: stop.signal,
  });
  expect((await trainer.train()).stopped).toBe("aborted");
});

/** Step 3 goes wrong: `poison` is called before each forward pass with its number, from 1. */
async function poisoned(poison: (model: Trainable, pass: number) => void) {
  const model = await tinyModel();
  const output = memoryRun();
  const after: Map<string, Float32Array>[] = [];
  let passes = 0;
  const loss = model.loss.bind(model);
  const broken = Object.create(model, {
    loss: {
      value: (...args: Parameters<typeof loss>) => {
        if (!args[0].planning) poison(model, ++passes);
        return loss(...args);
      },
    },
  });
  const args = { maxSteps: 6, saveSteps: 1, perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 2, shuffle: false };
  const trainer = new Trainer({
    model: broken,
    args,
    trainDataset: examples(20),
    outputDir: output,
    onProgress: () => after.push(valuesOf(model)),
  });
  const error = await trainer.train().then(
    () => null,
    (thrown: Error) => thrown,
  );
  return { error, output, model, after };
}

test("a loss that is not finite stops the run, naming step, micro-batch and examples", async () => {
  const { error, output, after } = await poisoned((model, pass) => {
    if (pass === 6) [...model.namedTrainable().values()][0]!.values().fill(Number.NaN);
  });
  expect(error?.name).toBe("StateError");
  expect(error?.message).toMatch(
    /step 3: loss is NaN in micro-batch 2 of 2.*example 10 \(tiny.jsonl:11\), example 11 \(tiny.jsonl:12\)/,
  );
  expect(after.length).toBe(2);
  expect(await output.list()).toContain("checkpoint-2");
  expect(await output.list()).not.toContain("checkpoint-3");
});

test("a gradient that is not finite stops the run before it reaches a parameter", async () => {
  const { error, model, after } = await poisoned((model, pass) => {
    if (pass === 6) [...model.namedTrainable().values()][0]!.gradient()[0] = Number.POSITIVE_INFINITY;
  });
  expect(error?.message).toMatch(
    /step 3: gradient norm is Infinity, expected a finite number \(example 8 \(tiny.jsonl:9\), example 9 /,
  );
  expect(valuesOf(model)).toEqual(after[1]);
});

test("everything wrong with the data is listed before training, by file and line", async () => {
  const model = await tinyModel();
  const trainDataset = examples(6);
  trainDataset[1] = { ...trainDataset[1]!, inputIds: trainDataset[1]!.inputIds.map(() => 32) };
  trainDataset[2] = { inputIds: new Int32Array(65), labels: new Int32Array(65), where: "tiny.jsonl:3" };
  trainDataset[3] = { inputIds: new Int32Array(4), labels: new Int32Array(4).fill(-100) };
  trainDataset[4] = { inputIds: new Int32Array(4), labels: new Int32Array(5) };
  const make = () => new Trainer({ model, trainDataset });
  expect(make).toThrow(/^training data cannot be used with this model \(4 problems\)/);
  expect(make).toThrow(/example 1 \(tiny.jsonl:2\): token 32 must be from 0 to 31/);
  expect(make).toThrow(/example 2 \(tiny.jsonl:3\): 65 tokens, but the model's context is 64/);
  expect(make).toThrow(/example 3: nothing to learn/);
  expect(make).toThrow(/example 4: 5 labels for 4 tokens/);
  expect(() => new Trainer({ model, trainDataset: [] })).toThrow(/training data is empty/);
});

test("every unknown or wrong setting is listed, with the nearest name", async () => {
  const model = await tinyModel();
  const args = {
    learningrate: 1,
    warmupSteps: -1,
    seed: 0.5,
    lrSchedulerType: "cosin",
  } as unknown as TrainingArguments;
  const make = () => new Trainer({ model, args, trainDataset: examples(1) });
  expect(make).toThrow(/^(training arguments: .*\n){3}training arguments: .*$/);
  expect(make).toThrow(/"seed" is 0.5, expected a whole number of at least 0/);
  expect(make).toThrow(/training arguments: "learningrate" is not an option. Did you mean "learningRate"/);
  expect(make).toThrow(/"warmupSteps" is -1, expected a whole number of at least 0/);
  expect(make).toThrow(/"lrSchedulerType" is "cosin", expected one of constant, linear, cosine/);
});

test("an option that there is not is named, with the nearest", async () => {
  const options = { model: await tinyModel(), trainDataset: examples(1) };
  expect(() => new Trainer({ ...options, output: "runs/x" } as TrainerOptions)).toThrow(
    'Trainer: "output" is not an option. Did you mean "outputDir"?',
  );
});

test("settings that need evaluation data or an outputDir say so", async () => {
  const model = await tinyModel();
  const trainDataset = examples(4);
  expect(() => new Trainer({ model, args: { earlyStoppingPatience: 1 }, trainDataset })).toThrow(
    /needs evaluation data: set evalDataset/,
  );
  const args = { loadBestModelAtEnd: true };
  expect(() => new Trainer({ model, args, trainDataset, evalDataset: trainDataset })).toThrow(
    /needs an output folder for the best model: set "?outputDir/,
  );
  await expect(new Trainer({ model, trainDataset }).train({ resume: true })).rejects.toThrow(/resume needs outputDir/);
});
