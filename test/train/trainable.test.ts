/** Training of all weights, over every task: what was trained is what is saved, and a run goes on where it stopped. */
import { describe, expect, test } from "vitest";
import { loadPretrained } from "../../src/auto/auto-model.ts";
import type { Task } from "../../src/core/task.ts";
import { pixelInput } from "../../src/nn/pass/pixels.ts";
import { concatenateLabelled } from "../../src/nn/pass/sequences.ts";
import type { Model } from "../../src/nn/tasks/model.ts";
import { saveModel } from "../../src/nn/tensors/save-model.ts";
import { Tape } from "../../src/tape/tape.ts";
import type { TrainingExample } from "../../src/train/check-examples.ts";
import { type MemoryRun, memoryRun } from "../../src/train/run/run-in-memory.ts";
import { fullTraining } from "../../src/train/trainable.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { GOLDEN, readCase } from "../golden-files.ts";
import { valuesOf } from "./tiny.ts";

interface Case {
  readonly task: Task;
  readonly batch: {
    readonly sequences?: number[][];
    readonly token_type_ids?: number[][];
    readonly pixel_values?: number[][];
    readonly labels: number[][];
  };
}

const cases = [
  ...["models/llama-tied", "models/gpt2", "tasks/t5-seq-2-seq-lm", "tasks/mt5-seq-2-seq-lm", "tasks/bert-causal-lm"],
  ...[
    "tasks/bert-seq-cls-multi-label",
    "tasks/roberta-token-cls",
    "tasks/distilbert-question-ans",
    "tasks/vit-image-cls",
  ],
];

function read(folder: string): { task: Task; examples: TrainingExample[] } {
  const plain = readCase<Case & { sequences?: number[][]; labels?: number[][] }>(folder);
  const { task = "CAUSAL_LM", batch = { sequences: plain.sequences!, labels: plain.labels! } } = plain;
  const examples = batch.labels.map((labels, i) => ({
    inputIds: Int32Array.from(batch.sequences?.[i] ?? []),
    labels: task === "SEQ_CLS" ? Float32Array.from(labels) : Int32Array.from(labels),
    ...(batch.token_type_ids && { tokenTypes: Int32Array.from(batch.token_type_ids[i]!) }),
    ...(batch.pixel_values && { inputs: [pixelInput(Float32Array.from(batch.pixel_values[i]!))] }),
  }));
  return { task, examples };
}

async function load(from: string | MemoryRun, task: Task): Promise<Model> {
  const engine = await createEngine({ build: "baseline" });
  const source = typeof from === "string" ? `${GOLDEN}/${from}` : from.source("adapter");
  return loadPretrained(source, task, { engine, trainable: true });
}

function outputs(model: Model, examples: readonly TrainingExample[]): Float32Array {
  const batch = concatenateLabelled(examples);
  return Tape.once(model.engine, {}, (tape) => tape.download(model.outputs(tape, batch)));
}

describe.each(cases)("%s", (folder) => {
  const { task, examples } = read(folder);

  async function train(run: MemoryRun, stopAfter = 0, resume = false): Promise<{ model: Model; losses: number[] }> {
    const model = await load(folder, task);
    const stop = new AbortController();
    const losses: number[] = [];
    const trainer = new Trainer({
      model: fullTraining(model, (target) => saveModel(model, target)),
      args: { maxSteps: 4, perDeviceTrainBatchSize: 2, learningRate: 0.01, loggingSteps: 1 },
      trainDataset: examples,
      outputDir: run,
      signal: stop.signal,
      onProgress({ step, loss }) {
        losses.push(loss);
        if (step === stopAfter) stop.abort();
      },
    });
    await trainer.train({ resume });
    return { model, losses };
  }

  test("every weight is trained, and what is saved says the same bit for bit", async () => {
    const start = await load(folder, task);
    const run = memoryRun();
    const { model } = await train(run);
    const before = start.namedWeights();
    const names = [...model.namedWeights().keys()];
    expect([...before.keys()]).toEqual(names);
    expect(outputs(model, examples)).not.toEqual(outputs(start, examples));
    const again = await load(run, task);
    expect(outputs(again, examples)).toEqual(outputs(model, examples));
    const trained = fullTraining(model, async () => {});
    expect(valuesOf(fullTraining(again, async () => {}))).toEqual(valuesOf(trained));
    const still = [...valuesOf(trained)].filter(([name, values]) => {
      const old = start.engine.memory.f32(before.get(name)!.ptr, values.length);
      return values.every((x, i) => x === old[i]);
    });
    expect(still.map(([name]) => name)).toEqual([]);
  });

  test("stopping and resuming gives every bit of the run that never stopped", async () => {
    const straight = await train(memoryRun());
    const run = memoryRun();
    const first = await train(run, 2);
    const second = await train(run, 0, true);
    expect([...first.losses, ...second.losses]).toEqual(straight.losses);
    expect(outputs(second.model, examples)).toEqual(outputs(straight.model, examples));
  });
});
