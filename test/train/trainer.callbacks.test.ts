/** Callbacks: when they are called, and what they may ask for. */
import { expect, test } from "vitest";
import type { TrainerCallback, TrainerControl, TrainerState } from "../../src/train/loop/callbacks.ts";
import { memoryRun } from "../../src/train/run/run-in-memory.ts";
import { Trainer } from "../../src/train/trainer.ts";
import type { TrainerOptions } from "../../src/train/trainer-options.ts";
import { examples, tinyModel } from "./tiny.ts";

async function run(callbacks: readonly TrainerCallback[], more: Partial<TrainerOptions> = {}) {
  const outputDir = memoryRun();
  const trainer = new Trainer({
    model: await tinyModel(),
    args: { maxSteps: 4, perDeviceTrainBatchSize: 4, evalSteps: 2, loggingSteps: 3, learningRate: 0.01 },
    trainDataset: examples(8),
    evalDataset: examples(4, 8),
    outputDir,
    callbacks,
    ...more,
  });
  const result = await trainer.train();
  const checkpoints = (await outputDir.list()).filter((name) => name.startsWith("checkpoint-"));
  return { ...result, checkpoints, outputDir };
}

const moments = [
  ...["onTrainBegin", "onEpochBegin", "onStepBegin", "onStepEnd", "onEpochEnd"],
  ...["onLog", "onEvaluate", "onSave", "onTrainEnd"],
] as const;

test("each moment is called in order, with the state of the run and what it is about", async () => {
  const calls: string[] = [];
  const states: TrainerState[] = [];
  const callback = Object.fromEntries(
    moments.map((name) => [
      name,
      async (_args: unknown, state: TrainerState, _control: TrainerControl, context: object) => {
        await Promise.resolve();
        states.push(state);
        const about = Object.keys(context).filter((key) => key !== "model");
        calls.push([name.slice(2), state.globalStep, ...about].join(" "));
      },
    ]),
  );
  await run([callback]);
  expect(calls).toEqual([
    "TrainBegin 0",
    ...["EpochBegin 0", "StepBegin 0", "StepEnd 1"],
    ...["StepBegin 1", "StepEnd 2", "Log 2 logs", "Evaluate 2 metrics", "EpochEnd 2"],
    ...["EpochBegin 2", "StepBegin 2", "StepEnd 3", "Log 3 logs"],
    ...["StepBegin 3", "StepEnd 4", "Log 4 logs", "Evaluate 4 metrics", "Save 4", "EpochEnd 4"],
    ...["Log 4 logs", "TrainEnd 4"],
  ]);
  expect(states[0]).toMatchObject({ maxSteps: 4, epoch: 0, bestMetric: null, bestGlobalStep: null, logHistory: [] });
  const last = states.at(-1)!;
  expect(last.epoch).toBe(2);
  const losses = last.logHistory.filter((entry) => entry.eval_loss !== undefined);
  const best = losses.reduce((a, b) => (b.eval_loss! < a.eval_loss! ? b : a));
  expect([last.bestMetric, last.bestGlobalStep]).toEqual([best.eval_loss, best.step]);
  expect(last.logHistory.at(-1)!.train_loss).toBeGreaterThan(0);
});

test("a callback ends the run with a checkpoint, and the run goes on from there", async () => {
  const stop: TrainerCallback = {
    onEvaluate(_args, _state, control) {
      control.shouldTrainingStop = true;
    },
  };
  const { stopped, step, checkpoints, outputDir } = await run([stop]);
  expect([stopped, step, checkpoints]).toEqual(["callback", 2, ["checkpoint-2"]]);
  expect(outputDir.files.has("adapter/model.safetensors")).toBe(true);
  const whole = await run([]);
  const trainer = new Trainer({
    model: await tinyModel(),
    args: { maxSteps: 4, perDeviceTrainBatchSize: 4, evalSteps: 2, loggingSteps: 3, learningRate: 0.01 },
    trainDataset: examples(8),
    evalDataset: examples(4, 8),
    outputDir,
  });
  expect((await trainer.train({ resume: true })).step).toBe(4);
  expect(outputDir.files.get("adapter/model.safetensors")).toEqual(
    whole.outputDir.files.get("adapter/model.safetensors"),
  );
});

test("a callback asks for reports, evaluations and checkpoints, or keeps the settings from them", async () => {
  const seen: string[] = [];
  const note =
    (name: string): TrainerCallback["onLog"] =>
    (_args, state) =>
      void seen.push(`${name} ${state.globalStep}`);
  const ask: TrainerCallback = {
    onStepEnd(_args, { globalStep }, control) {
      control.shouldLog = control.shouldEvaluate = control.shouldSave = globalStep === 1;
    },
    onEvaluate: note("evaluate"),
    onSave: note("save"),
  };
  const { checkpoints } = await run([ask]);
  expect(seen).toEqual(["evaluate 1", "save 1"]);
  expect(checkpoints).toEqual(["checkpoint-1"]);
});

test("classes are callbacks too, with their own fields", async () => {
  class Count implements TrainerCallback {
    steps = 0;
    onStepEnd() {
      this.steps++;
    }
  }
  const count = new Count();
  await run([count]);
  expect(count.steps).toBe(4);
});

test("what no moment calls is refused by name", async () => {
  const given = { model: await tinyModel(), trainDataset: examples(4) };
  const failing = (callback: unknown) => () => new Trainer({ ...given, callbacks: [callback as never] });
  expect(failing({ onStepEnds() {} })).toThrow('"onStepEnds" is never called. Did you mean "onStepEnd"?');
  expect(failing({ on_step_end() {} })).toThrow('"on_step_end" is never called. Did you mean "onStepEnd"?');
  expect(failing({})).toThrow("callbacks[0] has no method: expected some of onTrainBegin");
  expect(failing(() => {})).toThrow('"callbacks" is');
});
