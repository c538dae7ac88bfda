import { expect, test } from "vitest";
import { getPeftModel } from "../../../src/adapt/peft-model.ts";
import { lora } from "../../../src/methods/lora.ts";
import type { TrainingArguments } from "../../../src/train/arguments.ts";
import { type MemoryRun, memoryRun } from "../../../src/train/run/run-in-memory.ts";
import { Trainer } from "../../../src/train/trainer.ts";
import type { TrainerOptions } from "../../../src/train/trainer-options.ts";
import { examples, tinyLlama, tinyModel, valuesOf } from "../tiny.ts";

const args: TrainingArguments = {
  ...{ maxSteps: 6, saveSteps: 2, evalSteps: 2, loggingSteps: 1, learningRate: 0.02, perDeviceTrainBatchSize: 3 },
  lrSchedulerType: "constant",
};

interface Ran {
  readonly values: Map<string, Float32Array>;
  readonly taken: number[];
  readonly warnings: string[];
}

async function train(
  run: MemoryRun,
  resume: boolean | string,
  more: TrainingArguments = {},
  options: Partial<TrainerOptions> = {},
): Promise<Ran> {
  const model = options.model ?? (await tinyModel());
  const taken: number[] = [];
  const warnings: string[] = [];
  const trainer = new Trainer({
    ...{ model, args: { ...args, ...more }, trainDataset: examples(8), evalDataset: examples(4, 8), outputDir: run },
    onProgress: ({ step }) => void taken.push(step),
    onWarning: (text) => void warnings.push(text),
    ...options,
  });
  await trainer.train({ resume });
  return { values: valuesOf(model), taken, warnings };
}

const change = (run: MemoryRun, file: string, at: number) => {
  const bytes = run.files.get(file)!.slice();
  bytes[at < 0 ? bytes.length + at : at]! ^= 4;
  run.files.set(file, bytes);
};

test("a damaged checkpoint gives way to the one before it, which is said with the reason, and the bits are the same", async () => {
  const whole = await train(memoryRun(), false);
  for (const file of ["state/optimizer.safetensors", "state/trainer.json", "model.safetensors", "SHA256SUMS"]) {
    const run = memoryRun();
    await train(run, false, { maxSteps: 4 });
    change(run, `checkpoint-4/${file}`, -5);
    const { values, taken, warnings } = await train(run, true);
    expect(taken).toEqual([3, 4, 5, 6]);
    expect(values).toEqual(whole.values);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^memory: passed over checkpoints that are damaged \(1 problem\)\n {2}checkpoint-4: /);
    expect(warnings[0]).toMatch(file === "SHA256SUMS" ? / is missing/ : `"${file}" has changed since it was written`);
    expect(warnings[0]).toMatch(/\nContinuing from checkpoint-2: the steps after it are repeated$/);
  }
});

test("a run whose checkpoints are all damaged is refused with each reason and left as it is", async () => {
  const run = memoryRun();
  await train(run, false, { maxSteps: 4 });
  change(run, "checkpoint-4/state/optimizer.safetensors", -1);
  run.files.delete("checkpoint-2/state/trainer.json");
  const before = new Map(run.files);
  const resumed = train(run, true);
  await expect(resumed).rejects.toThrow(/cannot resume memory: no checkpoint is whole \(2 problems\)/);
  await expect(resumed).rejects.toThrow(/checkpoint-4: .*optimizer.safetensors" has changed since it was written/);
  await expect(resumed).rejects.toThrow(/checkpoint-2: .* lacks "state\/trainer.json"/);
  expect(run.files).toEqual(before);
});

test("a checkpoint can be named; later ones are written again, and are not what the limit keeps", async () => {
  const run = memoryRun();
  const whole = await train(run, false);
  const { values, taken } = await train(run, "checkpoint-2", { saveTotalLimit: 1 });
  expect(taken).toEqual([3, 4, 5, 6]);
  expect(values).toEqual(whole.values);
  expect((await run.list()).filter((name) => name.startsWith("checkpoint"))).toEqual(["checkpoint-6"]);
  const none = /memory has no checkpoint "checkpoint-3": it has checkpoint-6$/;
  await expect(train(run, "checkpoint-3")).rejects.toThrow(none);
  await expect(train(run, "")).rejects.toThrow(/"resume" is "", expected true, false or the name/);
  await expect(train(memoryRun(), "checkpoint-3")).rejects.toThrow(/it has no checkpoints$/);
  change(run, "checkpoint-6/state/trainer.json", 9);
  await expect(train(run, "checkpoint-6")).rejects.toThrow(
    /no checkpoint is whole.*\n.*\nRestore it, or resume from another/,
  );
});

test("the limit on checkpoints never removes the one that a run has just written, whatever was damaged", async () => {
  const run = memoryRun();
  await train(run, false, { maxSteps: 6 });
  change(run, "checkpoint-6/state/optimizer.safetensors", -1);
  const stop = new AbortController();
  const more = { saveTotalLimit: 1, saveSteps: 1 };
  await train(run, true, more, { signal: stop.signal, onProgress: ({ step }) => step === 5 && stop.abort() });
  expect((await run.list()).filter((name) => name.startsWith("checkpoint"))).toEqual(["checkpoint-5", "checkpoint-6"]);
  const { taken } = await train(run, true);
  expect(taken).toEqual([6]);
});

test("a checkpoint of an earlier version, without hashes, is resumed, and it is said what cannot be checked", async () => {
  const whole = await train(memoryRun(), false);
  const run = memoryRun();
  await train(run, false, { maxSteps: 4 });
  for (const step of [2, 4]) run.files.delete(`checkpoint-${step}/SHA256SUMS`);
  const copy = memoryRun();
  for (const [file, bytes] of run.files) copy.files.set(file, bytes);
  const { values, taken, warnings } = await train(run, true);
  expect([taken, values]).toEqual([[5, 6], whole.values]);
  expect(warnings).toEqual([
    expect.stringMatching(/"checkpoint-4" of memory has no hashes, as earlier versions wrote it/),
  ]);
  copy.files.set(
    "checkpoint-4/state/optimizer.safetensors",
    copy.files.get("checkpoint-4/state/optimizer.safetensors")!.slice(0, 999),
  );
  const second = await train(copy, true);
  expect([second.taken, second.values]).toEqual([[3, 4, 5, 6], whole.values]);
  expect(second.warnings.at(-1)).toMatch(/passed over.*\n.*is truncated/);
});

test("a state after the end of the run is refused, with the way on", async () => {
  const run = memoryRun();
  await train(run, false);
  await expect(train(run, true, { maxSteps: 4 })).rejects.toThrow(
    /it is after 6 steps, and the run now has 4. Train for more steps, or resume from an earlier checkpoint by its name/,
  );
  expect((await train(run, "checkpoint-4", { maxSteps: 5 })).taken).toEqual([5]);
});

test("a damaged best model is refused where the run ends with it, and said where it does not", async () => {
  for (const loadBestModelAtEnd of [true, false]) {
    const run = memoryRun();
    await train(run, false, { maxSteps: 4, loadBestModelAtEnd });
    change(run, "best/model.safetensors", -1);
    const resumed = train(run, true, { loadBestModelAtEnd });
    const text = /the best model of memory is damaged: "model.safetensors" has changed/;
    if (loadBestModelAtEnd) await expect(resumed).rejects.toThrow(text);
    else expect((await resumed).warnings).toEqual([expect.stringMatching(text)]);
  }
});

test("the best parameters of another step than the run knows are refused", async () => {
  const run = memoryRun();
  const more = { maxSteps: 3, evalSteps: 1, saveSteps: 1, loadBestModelAtEnd: true };
  await train(run, false, more);
  const file = "best/state/params.safetensors";
  const text = new TextDecoder("latin1").decode(run.files.get(file));
  const at = text.indexOf('"step":"') + '"step":"'.length;
  expect(text.slice(at, at + 2)).toBe('1"');
  run.files.get(file)![at] = "2".charCodeAt(0);
  run.files.delete("best/SHA256SUMS");
  await expect(train(run, true, more)).rejects.toThrow(/is of step 2, but the best evaluation was at step 1/);
});

test("an adapter resumes on the base that it was trained on and on no other, down to one bit", async () => {
  const adapted = async (flip = false) => {
    const base = await tinyLlama();
    const weight = base.namedWeights().get("model.layers.1.mlp.down_proj.weight")!;
    if (flip) base.engine.memory.u8(weight.ptr, 1)[0]! ^= 1;
    return getPeftModel(base, lora({ r: 2 }));
  };
  const run = memoryRun();
  await train(run, false, { maxSteps: 2 }, { model: await adapted() });
  await expect(train(run, true, {}, { model: await adapted(true) })).rejects.toThrow(
    /the run has changed \(1 problem\)\n {2}baseWeights: was [0-9a-f]{32}, is [0-9a-f]{32}\nResume with the same model/,
  );
  expect((await train(run, true, {}, { model: await adapted() })).taken).toEqual([3, 4, 5, 6]);
});

test("two trainers in one folder: the second is refused, and the folder is free after an error too", async () => {
  const run = memoryRun();
  const first = train(run, false, { maxSteps: 2 });
  await expect(train(run, true)).rejects.toThrow(/^memory is in use by another run/);
  await first;
  await expect(train(run, false)).rejects.toThrow(/already contains a run/);
  expect((await train(run, true, { maxSteps: 3 })).taken).toEqual([3]);
});
