import { expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { lora } from "../../src/methods/lora.ts";
import type { TrainingArguments } from "../../src/train/arguments.ts";
import { type MemoryRun, memoryRun } from "../../src/train/run/run-in-memory.ts";
import { Trainer } from "../../src/train/trainer.ts";
import type { TrainerOptions } from "../../src/train/trainer-options.ts";
import { examples, tinyDropoutModel, tinyLlama, valuesOf } from "./tiny.ts";

const settings: TrainingArguments = {
  maxSteps: 6,
  perDeviceTrainBatchSize: 3,
  gradientAccumulationSteps: 2,
  learningRate: 0.01,
  lrSchedulerType: "cosine",
  warmupSteps: 2,
  weightDecay: 0.1,
  loggingSteps: 2,
  evalSteps: 2,
  saveSteps: 2,
};

const text = (run: MemoryRun, file: string) => new TextDecoder().decode(run.files.get(file));

interface Ran {
  values: Map<string, Float32Array>;
  losses: number[];
  stopped: string;
}

/** Trains with dropout, 4 steps an epoch, stopping after `stopAfter` steps. `seed` is that of the fresh weights. */
async function train(
  run: MemoryRun,
  more: Partial<TrainerOptions> = {},
  { stopAfter = 0, resume = false, seed = 1 } = {},
): Promise<Ran> {
  const model = more.model ?? (await tinyDropoutModel(seed));
  const stop = new AbortController();
  const losses: number[] = [];
  const trainer = new Trainer({
    model,
    args: settings,
    trainDataset: examples(20),
    evalDataset: examples(5, 8),
    outputDir: run,
    signal: stop.signal,
    onProgress: ({ step, loss }) => {
      losses.push(loss);
      if (step === stopAfter) stop.abort();
    },
    ...more,
  });
  const { stopped } = await trainer.train({ resume });
  return { values: valuesOf(model), losses, stopped };
}

/** All files of a run without what depends on the clock, such as the hashes of reports. */
function contents(run: MemoryRun): Record<string, string> {
  const clock = /"(eval_runtime|eval_samples_per_second|train_\w+_per_second|train_runtime)": [^,\n]+/g;
  return Object.fromEntries(
    [...run.files].map(([file, bytes]) => {
      const text = new TextDecoder().decode(bytes);
      if (file.endsWith(".safetensors")) return [file, bytes.join()];
      return [file, text.replace(clock, "").replace(/[0-9a-f]{64}(?=.*(trainer_state|trainer)\.json)/g, "")];
    }),
  );
}

for (const stopAfter of [1, 2, 3, 5]) {
  test(`stopping after step ${stopAfter} and resuming gives every bit of the run that never stopped`, async () => {
    const straight = memoryRun();
    const whole = await train(straight);
    const parted = memoryRun();
    const first = await train(parted, {}, { stopAfter });
    expect(first.stopped).toBe("aborted");
    const second = await train(parted, {}, { resume: true, seed: 99 });
    expect(second.stopped).toBe("finished");
    expect([...first.losses, ...second.losses]).toEqual(whole.losses);
    expect(second.values).toEqual(whole.values);
    await parted.remove(`checkpoint-${stopAfter % 2 === 1 ? stopAfter : 0}`); // written by the abort
    expect(contents(parted)).toEqual(contents(straight));
  });
}

test("reports of steps that were lost with the process are taken back and written again", async () => {
  const straight = memoryRun();
  await train(straight);
  const killed = memoryRun();
  await train(killed, {}, { stopAfter: 5 });
  await killed.remove("checkpoint-5");
  await killed.append("metrics.jsonl", '{"loss":1,"st');
  await train(killed, {}, { resume: true });
  expect(text(killed, "metrics.jsonl")).toBe(text(straight, "metrics.jsonl"));
});

test("resuming without a checkpoint starts at the beginning and says so", async () => {
  const warnings: string[] = [];
  const run = memoryRun();
  const { losses } = await train(run, { onWarning: (text) => warnings.push(text) }, { resume: true });
  expect(losses.length).toBe(6);
  expect(warnings).toEqual(["memory has no checkpoint to resume from: starting from the beginning"]);
});

test("a checkpoint that is not complete is passed over", async () => {
  const run = memoryRun();
  const whole = await train(run);
  run.files.delete("checkpoint-6/state/trainer.json");
  await run.remove("adapter");
  const again = await train(run, {}, { resume: true });
  expect(again.losses).toEqual(whole.losses.slice(4));
  expect(again.values).toEqual(whole.values);
});

for (const options of [{ loraDropout: 0.3 }, { initLoraWeights: "pissa" }, { useDora: true }]) {
  test(`an adapter with ${JSON.stringify(options)} resumes to the same bits, but not with another alpha`, async () => {
    const adapted = async (loraAlpha = 8) => {
      return getPeftModel(
        await tinyLlama(),
        lora({ r: 2, loraAlpha, ...options, targetModules: ["q_proj", "down_proj"] }),
      );
    };
    const whole = await train(memoryRun(), { model: await adapted() });
    const run = memoryRun();
    const first = await train(run, { model: await adapted() }, { stopAfter: 3 });
    const changed = train(run, { model: await adapted(9) }, { resume: true });
    await expect(changed).rejects.toThrow(/adapter_config.json lora_alpha: was 8, is 9/);
    const second = await train(run, { model: await adapted() }, { resume: true });
    expect([...first.losses, ...second.losses]).toEqual(whole.losses);
    expect(second.values).toEqual(whole.values);
  });
}

test("a longer run goes on where a shorter one ended", async () => {
  const args: TrainingArguments = { ...settings, lrSchedulerType: "constant" };
  const long = await train(memoryRun(), { args });
  const run = memoryRun();
  const first = await train(run, { args: { ...args, maxSteps: 3 } });
  const second = await train(run, { args }, { resume: true });
  expect([...first.losses, ...second.losses]).toEqual(long.losses);
  expect(second.values).toEqual(long.values);
});

test("what differs from the run is named, and nothing is changed", async () => {
  const run = memoryRun();
  await train(run, {}, { stopAfter: 3 });
  const before = new Map(run.files);
  const refused = (more: Partial<TrainerOptions>, args: TrainingArguments = {}) =>
    expect(train(run, { ...more, args: { ...settings, ...args } }, { resume: true })).rejects;
  await refused({}, { seed: 7 }).toThrow(/the run has changed \(1 problem\)\n {2}seed: was 42, is 7\n/);
  await refused({}, { perDeviceTrainBatchSize: 4 }).toThrow(/perDeviceTrainBatchSize: was 3, is 4/);
  await refused({ trainDataset: examples(20, 9) }).toThrow(/trainingData: was [0-9a-f]{16}, is [0-9a-f]{16}/);
  await refused({ evalDataset: null }).toThrow(/evaluationData: was [0-9a-f]{16}, is not set/);
  await refused({}, { learningRate: 1, warmupSteps: 1 }).toThrow(/2 problems/);
  expect(run.files).toEqual(before);
});

test("a state with tensors that are not trained, missing or of another shape is refused, naming all of them", async () => {
  const run = memoryRun();
  await train(run, {}, { stopAfter: 2 });
  const file = "checkpoint-2/state/optimizer.safetensors";
  const rename = (bytes: Uint8Array) => {
    const name = new TextEncoder().encode("param.transformer.wpe.weight");
    const at = Buffer.from(bytes).indexOf(name);
    const changed = bytes.slice();
    changed[at + name.length - 1] = "x".charCodeAt(0);
    return changed;
  };
  run.files.set(file, rename(run.files.get(file)!));
  run.files.delete("checkpoint-2/SHA256SUMS"); // as an earlier version wrote it
  const resumed = () => train(run, {}, { resume: true });
  await expect(resumed()).rejects.toThrow(/param.transformer.wpe.weighx: not trained now/);
  await expect(resumed()).rejects.toThrow(/param.transformer.wpe.weight: missing/);
  run.files.set(file, run.files.get(file)!.slice(0, 5000));
  await expect(resumed()).rejects.toThrow(/is truncated/);
});
