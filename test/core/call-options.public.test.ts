/** Functions that programs call check what they are given: unknown names and wrong types are refused by name. */
import { expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { lora } from "../../src/methods/lora.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { loraPlusGroups } from "../../src/optim/loraplus.ts";
import { evaluateLoss } from "../../src/train/evaluation/evaluate.ts";
import { planMemory } from "../../src/train/memory-plan.ts";
import { Profiler } from "../../src/train/profiler.ts";
import { memoryRun } from "../../src/train/run/run-in-memory.ts";
import { fullTraining } from "../../src/train/trainable.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { examples, tinyLlama, tinyModel } from "../train/tiny.ts";

/** A call of a function with any arguments, as JavaScript allows it. */
const call =
  (run: unknown, ...given: readonly unknown[]) =>
  async () =>
    (run as (...given: readonly unknown[]) => unknown)(...given);

test("unknown options and wrong values are refused by name", async () => {
  const model = await tinyModel();
  const base = await tinyLlama();
  const { engine } = model;
  const params = model.namedTrainable();
  const make = (given: unknown) => new Profiler(given as never);
  const adamw = (...given: readonly unknown[]) =>
    new (AdamW as never as new (...all: readonly unknown[]) => AdamW)(...given);
  const wrong: [() => Promise<unknown>, string][] = [
    [
      call(evaluateLoss, model, examples(2), { batchsize: 4 }),
      '"batchsize" is not an option. Did you mean "batchSize"?',
    ],
    [
      call(evaluateLoss, model, examples(2), { batchSize: 0 }),
      '"batchSize" is 0, expected a whole number of at least 1',
    ],
    [call(evaluateLoss, model, examples(2), 4), "evaluateLoss: the options is the number 4, expected an object"],
    [call(planMemory, model, "rows"), "planMemory: the list of examples is"],
    [call(planMemory, model, examples(2), { batchSize: 1 }), 'training arguments: "batchSize" is not an option'],
    [call(make, { step: 3 }), 'Profiler: "step" is not an option. Did you mean "steps"?'],
    [call(fullTraining, base), "fullTraining: the second argument is undefined, expected a function that saves"],
    [call(memoryRun, 3), "memoryRun: the name is the number 3, expected a string"],
    [call(createEngine, { thread: 2 }), 'createEngine: "thread" is not an option. Did you mean "threads"?'],
    [
      call(createEngine, { build: "fast" }),
      '"build" is "fast", expected one of auto, fastest, baseline, relaxed, wide',
    ],
    [call(createEngine, { maxBytes: "2GB" }), '"maxBytes" is "2GB", expected a whole number from 1 to'],
    [call(getPeftModel, base, lora({ r: 2 }), { name: "x" }), 'getPeftModel: "name" is not an option'],
    [call(getPeftModel, base, lora), "the second argument is a function, expected a method with its options"],
    [call(getPeftModel, {}, lora({ r: 2 })), "getPeftModel: the model is an object, expected a model"],
    [call(adamw, engine, params, { lr: 1e-3 }), 'AdamW: "lr" is not an option'],
    [call(adamw, engine, [...params]), "AdamW: the second argument is a list, expected parameters by name"],
    [call(adamw, engine, params, { groups: [{ lrFactor: 2 }] }), 'AdamW: groups[0]: "has" is undefined'],
    [call(adamw, engine, params, { groups: [{ has: () => true, lr: 2 }] }), 'AdamW: groups[0]: "lr" is not an option'],
    [call(loraPlusGroups, { lr: 1e-3, ratio: 4 }), 'LoRA+: "ratio" is not an option'],
    [call(loraPlusGroups, { lr: 1e-3 }), 'LoRA+: "lrRatio" is missing, expected a number above 0'],
  ];
  for (const [attempt, message] of wrong) await expect(attempt(), message).rejects.toThrow(message);
});
