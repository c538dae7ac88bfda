/** Own metrics, predictions, and the best model by a metric. */
import { expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { argmax } from "../../src/core/scores.ts";
import { promptTuning } from "../../src/methods/prompt_tuning.ts";
import { concatenate } from "../../src/nn/pass/sequences.ts";
import type { TrainingArguments } from "../../src/train/arguments.ts";
import { evaluateLoss } from "../../src/train/evaluation/evaluate.ts";
import { memoryRun } from "../../src/train/run/run-in-memory.ts";
import { Trainer } from "../../src/train/trainer.ts";
import type { TrainerOptions } from "../../src/train/trainer-options.ts";
import { examples, labelledExamples, tinyClassifier, tinyLlama, tinyModel, valuesOf } from "./tiny.ts";

test("own metrics get logits and labels, and stand in reports beside the task's", async () => {
  const model = await tinyClassifier();
  const evalDataset = labelledExamples(11, 6);
  const log: Readonly<Record<string, number>>[] = [];
  const trainer = new Trainer({
    model,
    args: { maxSteps: 2, perDeviceEvalBatchSize: 4 },
    trainDataset: labelledExamples(8),
    evalDataset,
    computeMetrics: ({ predictions, labelIds, columns, examples: all }) => {
      expect([predictions.length, labelIds.length, columns, all]).toEqual([11, 11, 3, evalDataset]);
      const right = predictions.filter((logits, i) => argmax(logits) === labelIds[i]![0]).length;
      return { own_accuracy: right / predictions.length, eval_named: 7 };
    },
    onLog: (entry) => log.push(entry),
  });
  await trainer.train();
  const reported = log.findLast((entry) => entry.eval_loss !== undefined)!;
  expect(reported.eval_own_accuracy).toBe(reported.eval_accuracy);
  expect(reported.eval_named).toBe(7);
  const { loss, metrics } = await evaluateLoss(model, evalDataset, { batchSize: 4 });
  const { eval_loss, eval_accuracy, perplexity } = await trainer.evaluate();
  expect([eval_loss, eval_accuracy, perplexity]).toEqual([loss, metrics.accuracy, undefined]);
});

test("predict gives outputs, labels and metrics of a test set", async () => {
  const model = await tinyClassifier();
  const test = labelledExamples(5, 9);
  const { predictions, labelIds, columns, metrics } = await new Trainer({ model, trainDataset: test }).predict(test);
  expect(columns).toBe(3);
  expect(labelIds.map(([label]) => label)).toEqual(test.map(({ labels }) => labels[0]));
  const each = test.map(({ inputIds }) => model.forward(concatenate([inputIds])).data);
  predictions.forEach((logits, i) => {
    logits.forEach((value, c) => {
      expect(value).toBeCloseTo(each[i]![c]!, 5);
    });
  });
  const { loss } = await evaluateLoss(model, test);
  expect(metrics.test_loss).toBe(loss);
  expect(metrics.test_accuracy).toBe((await evaluateLoss(model, test)).metrics.accuracy);
  const trainer = new Trainer({ model, trainDataset: test });
  expect((await trainer.evaluate(test, { metricKeyPrefix: "held" })).held_loss).toBe(loss);
  await expect(trainer.evaluate(test, { prefix: "x" } as never)).rejects.toThrow('evaluate: "prefix" is not an option');
});

test("a language model's outputs are those of the tokens, without virtual ones, and may be made smaller", async () => {
  const base = await tinyLlama();
  const model = getPeftModel(base, promptTuning({ numVirtualTokens: 3, taskType: "CAUSAL_LM" }), { seed: 3 });
  const data = examples(5);
  let best: (Float32Array | Int32Array)[] = [];
  const trainer = new Trainer({
    model,
    trainDataset: data,
    evalDataset: data,
    args: { perDeviceEvalBatchSize: 2 },
    preprocessLogitsForMetrics: (logits, labels, columns) => {
      expect(logits.length).toBe(labels.length * columns);
      return Int32Array.from(labels, (_, t) => argmax(logits.subarray(t * columns, (t + 1) * columns)));
    },
    computeMetrics: ({ predictions }) => {
      best = [...predictions];
      return {};
    },
  });
  await trainer.evaluate();
  data.forEach(({ inputIds }, i) => {
    const logits = model.forward(concatenate([inputIds])).data;
    const wanted = Array.from(inputIds, (_, t) => argmax(logits.subarray((t + 3) * 32, (t + 4) * 32)));
    expect(Array.from(best[i]!)).toEqual(wanted);
  });
  const { perplexity, eval_loss } = await trainer.evaluate();
  expect(perplexity).toBe(Math.exp(eval_loss));
});

test("metrics that are no numbers are refused", async () => {
  const data = examples(3);
  const given = { model: await tinyModel(), trainDataset: data, evalDataset: data };
  const failing = (found: unknown) => new Trainer({ ...given, computeMetrics: () => found as never }).evaluate();
  await expect(failing(0.5)).rejects.toThrow("computeMetrics: returned number, expected numbers by name");
  await expect(failing({ f1: "0.5" })).rejects.toThrow('computeMetrics: "f1" is not a number');
  const wrong = new Trainer({ ...given, computeMetrics: () => ({}), preprocessLogitsForMetrics: () => [1] as never });
  await expect(wrong.evaluate()).rejects.toThrow("preprocessLogitsForMetrics: expected a Float32Array");
});

/** A run whose metric takes these values, one at each evaluation. */
async function ranked(values: number[], args: TrainingArguments, more: Partial<TrainerOptions> = {}) {
  const model = await tinyModel();
  const outputDir = memoryRun();
  let at = 0;
  const steps: Map<string, Float32Array>[] = [];
  const trainer = new Trainer({
    model,
    args: { maxSteps: values.length, evalSteps: 1, learningRate: 0.01, loadBestModelAtEnd: true, ...args },
    trainDataset: examples(8),
    evalDataset: examples(4, 8),
    outputDir,
    computeMetrics: () => {
      steps.push(valuesOf(model));
      return { score: values[at++]! };
    },
    ...more,
  });
  const result = await trainer.train();
  return { ...result, outputDir, best: result.best!, ends: steps.findIndex((step) => same(step, valuesOf(model))) + 1 };
}

function same(one: Map<string, Float32Array>, other: Map<string, Float32Array>): boolean {
  return [...one].every(([name, values]) => values.every((value, i) => value === other.get(name)![i]));
}

test("the best model is that of the metric, in the direction that its name says or the setting", async () => {
  const score = { metricForBestModel: "eval_score" };
  const up = await ranked([1, 3, 2, 3], score);
  expect([up.best.step, up.best.metric, up.ends]).toEqual([2, 3, 2]);
  const state = JSON.parse(new TextDecoder().decode(up.outputDir.files.get("trainer_state.json")));
  expect([state.best_metric, state.best_global_step]).toEqual([3, 2]);
  const down = await ranked([2, 3, 1], { metricForBestModel: "score", greaterIsBetter: false });
  expect([down.best.step, down.ends]).toEqual([3, 3]);
  const patient = await ranked([2, 1, 1, 9], { ...score, earlyStoppingPatience: 2 });
  expect([patient.stopped, patient.step, patient.best.step, patient.ends]).toEqual(["early", 3, 1, 1]);
  const blank = await ranked([Number.NaN, 1, Number.NaN], score);
  expect([blank.best.step, blank.ends]).toEqual([2, 2]);
  const byLoss = await ranked([9, 1, 1], {});
  expect(byLoss.best.metric).toBe(byLoss.best.loss);
});

test("a metric that there is not is refused before the first step, and an own one at the first evaluation", async () => {
  const data = labelledExamples(4);
  const given = { model: await tinyClassifier(), trainDataset: data, evalDataset: data };
  const steps: number[] = [];
  const run = (metricForBestModel: string, more: Partial<TrainerOptions> = {}) =>
    new Trainer({
      ...given,
      args: { metricForBestModel, maxSteps: 2 },
      onProgress: ({ step }) => steps.push(step),
      ...more,
    }).train();
  await expect(run("acuracy")).rejects.toThrow(
    'metricForBestModel is "acuracy", but evaluations have loss, perplexity, accuracy, f1_macro: choose one',
  );
  expect(steps).toEqual([]);
  expect((await run("f1_macro")).best).not.toBeNull();
  await expect(run("mine", { computeMetrics: () => ({ yours: 1 }) })).rejects.toThrow(/have .*yours/);
  expect(() => new Trainer({ ...given, evalDataset: null, args: { metricForBestModel: "loss" } })).toThrow(
    "metricForBestModel needs evaluation data",
  );
});

test("a resumed run knows the best metric", async () => {
  const values = [1, 5, 2, 4];
  const args = { maxSteps: 4, evalSteps: 1, saveSteps: 1, metricForBestModel: "score", learningRate: 0.01 };
  const outputDir = memoryRun();
  const run = async (resume: boolean, at: number, stopAfter: number) => {
    const stop = new AbortController();
    const trainer = new Trainer({
      model: await tinyModel(),
      args,
      trainDataset: examples(8),
      evalDataset: examples(4, 8),
      outputDir,
      signal: stop.signal,
      computeMetrics: () => ({ score: values[at++]! }),
      onProgress: ({ step }) => step === stopAfter && stop.abort(),
    });
    return trainer.train({ resume });
  };
  expect((await run(false, 0, 3)).stopped).toBe("aborted");
  expect((await run(true, 3, 0)).best).toMatchObject({ step: 2, metric: 5 });
});
