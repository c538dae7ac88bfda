import { expect, test } from "vitest";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { mapSource } from "../../src/checkpoint/source.ts";
import { type MemoryRun, memoryRun } from "../../src/train/run/run-in-memory.ts";
import { Trainer, type TrainerOptions, type TrainingArguments } from "../../src/train/trainer.ts";
import { examples, tinyModel, valuesOf } from "./tiny.ts";

const json = (run: MemoryRun, file: string) => JSON.parse(new TextDecoder().decode(run.files.get(file)));
const lines = (run: MemoryRun) =>
  new TextDecoder()
    .decode(run.files.get("metrics.jsonl"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

async function train(output: MemoryRun, args: TrainingArguments, more: Partial<TrainerOptions> = {}) {
  const model = await tinyModel();
  const trainer = new Trainer({
    model,
    args: { maxSteps: 6, learningRate: 0.02, ...args },
    trainDataset: examples(8),
    evalDataset: examples(4, 8),
    outputDir: output,
    ...more,
  });
  return { result: await trainer.train(), model };
}

test("a finished run leaves the result, the best, the last checkpoint and two reports", async () => {
  const run = memoryRun();
  await train(run, {});
  expect(await run.list()).toEqual(["adapter", "best", "checkpoint-6", "metrics.jsonl", "trainer_state.json"]);
});

test("the result holds the parameters that training ended with", async () => {
  const run = memoryRun();
  const { model } = await train(run, {});
  const files = [...run.files]
    .filter(([file]) => file.startsWith("adapter/"))
    .map(([file, bytes]) => [file.slice(8), bytes] as const);
  const loaded = await AutoModelForCausalLM.fromPretrained(mapSource(new Map(files)), { engine: model.engine });
  for (const [name, values] of valuesOf(model)) {
    const weight = loaded.namedWeights().get(name)!;
    expect(model.engine.memory.f32(weight.ptr, values.length)).toEqual(values);
  }
});

test("only the newest checkpoints are kept, and the best model besides", async () => {
  const run = memoryRun();
  const { result } = await train(run, { saveSteps: 1, saveTotalLimit: 2, evalSteps: 1, learningRate: 0.5 });
  expect(await run.list()).toEqual([
    "adapter",
    "best",
    "checkpoint-5",
    "checkpoint-6",
    "metrics.jsonl",
    "trainer_state.json",
  ]);
  expect(result.best!.step).toBeLessThan(5);
});

test("trainer_state.json has transformers' keys", async () => {
  const run = memoryRun();
  const { result } = await train(run, { loggingSteps: 2, evalSteps: 3, perDeviceTrainBatchSize: 4 });
  const state = json(run, "trainer_state.json");
  expect(state).toMatchObject({
    global_step: 6,
    max_steps: 6,
    num_train_epochs: 3,
    epoch: 3,
    eval_steps: 3,
    logging_steps: 2,
    save_steps: 500,
    train_batch_size: 4,
    best_model_checkpoint: "best",
    is_local_process_zero: true,
    is_world_process_zero: true,
    is_hyper_param_search: false,
    total_flos: 0,
    trial_name: null,
    trial_params: null,
    stateful_callbacks: {},
  });
  expect(state.best_metric).toBe(result.best!.loss);
  expect(state.best_global_step).toBe(result.best!.step);
  expect(state.log_history.map((entry: { step: number }) => entry.step)).toEqual([2, 3, 4, 6, 6, 6]);
  expect(Object.keys(state.log_history[1])).toEqual([
    "eval_loss",
    "perplexity",
    "eval_runtime",
    "eval_samples_per_second",
    "epoch",
    "step",
  ]);
});

test("metrics.jsonl has the same reports without what depends on the clock", async () => {
  const run = memoryRun();
  await train(run, { loggingSteps: 3, evalSteps: 3 });
  expect(lines(run).map((line) => Object.keys(line).join())).toEqual([
    "loss,grad_norm,learning_rate,epoch,step",
    "eval_loss,perplexity,epoch,step",
    "loss,grad_norm,learning_rate,epoch,step",
    "eval_loss,perplexity,epoch,step",
    "train_loss,epoch,step",
  ]);
});

test("training ends early after as many evaluations without a new best as patience allows", async () => {
  const run = memoryRun();
  const { result } = await train(run, { maxSteps: 50, evalSteps: 1, learningRate: 0.5, earlyStoppingPatience: 3 });
  expect(result.stopped).toBe("early");
  expect(result.step).toBe(result.best!.step + 3);
  const again = await new Trainer({
    model: await tinyModel(),
    args: { maxSteps: 50, evalSteps: 1, learningRate: 0.5, earlyStoppingPatience: 3 },
    trainDataset: examples(8),
    evalDataset: examples(4, 8),
    outputDir: run,
  }).train({ resume: true });
  expect(again).toEqual(result);
});

test("with loadBestModelAtEnd the result is the best model, also of a resumed run", async () => {
  const best = new Map<number, Map<string, Float32Array>>();
  const run = memoryRun();
  const args = { evalSteps: 1, learningRate: 0.5, loadBestModelAtEnd: true };
  const model = await tinyModel();
  const trainer = (given: TrainingArguments) =>
    new Trainer({
      model,
      args: given,
      trainDataset: examples(8),
      evalDataset: examples(4, 8),
      outputDir: run,
      onProgress: ({ step }) => best.set(step, valuesOf(model)),
    });
  const first = await trainer({ ...args, maxSteps: 5 }).train();
  expect(first.best!.step).toBeLessThan(5);
  expect(valuesOf(model)).toEqual(best.get(first.best!.step));
  const second = await trainer({ ...args, maxSteps: 6 }).train({ resume: true });
  expect(valuesOf(model)).toEqual(best.get(second.best!.step));
});

test("an aborted run leaves a checkpoint of the last step and no result", async () => {
  const stop = new AbortController();
  const run = memoryRun();
  const { result } = await train(
    run,
    {},
    { signal: stop.signal, onProgress: ({ step }) => step === 2 && stop.abort() },
  );
  expect(result).toMatchObject({ stopped: "aborted", step: 2 });
  expect(await run.list()).toContain("checkpoint-2");
  expect(await run.list()).not.toContain("adapter");
});

test("a folder that has a run in it is left alone unless told otherwise", async () => {
  const run = memoryRun();
  await train(run, {});
  run.files.set("notes.txt", new Uint8Array());
  const before = new Map(run.files);
  await expect(train(run, {})).rejects.toThrow(/memory already contains a run \(adapter, best, checkpoint-6/);
  expect(run.files).toEqual(before);
  await train(run, { overwriteOutputDir: true, maxSteps: 2 });
  expect(await run.list()).toEqual([
    "adapter",
    "best",
    "checkpoint-2",
    "metrics.jsonl",
    "notes.txt",
    "trainer_state.json",
  ]);
});

test("a run whose checkpoint cannot be written keeps the ones before it", async () => {
  const run = memoryRun();
  const { replace } = run;
  const full: MemoryRun = {
    ...run,
    replace: (sub, write) =>
      replace(sub, async (target) => {
        await write({
          ...target,
          write: (file, chunks) =>
            sub === "checkpoint-4" ? Promise.reject(new Error("the disk is full")) : target.write(file, chunks),
        });
      }),
  };
  await expect(train(full, { saveSteps: 2 })).rejects.toThrow(/the disk is full/);
  expect(await run.list()).toContain("checkpoint-2");
  expect(await run.list()).not.toContain("checkpoint-4");
});
