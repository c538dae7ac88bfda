/** Handles that were disposed of: every call on them is a StateError, and none reaches what took their place in memory. */
import { expect, test } from "vitest";
import { getPeftModel, PeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { StateError } from "../../src/core/errors.ts";
import { generate, stream } from "../../src/generate/load-generate.ts";
import { lora } from "../../src/methods/lora.ts";
import { concatenate, concatenateLabelled } from "../../src/nn/pass/sequences.ts";
import { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { Model } from "../../src/nn/tasks/model.ts";
import { ModelAround } from "../../src/nn/tasks/task-model.ts";
import { resizeTokenEmbeddings } from "../../src/nn/tensors/resize-token-embeddings.ts";
import { saveModel } from "../../src/nn/tensors/save-model.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { Tape } from "../../src/tape/tape.ts";
import { evaluateLoss } from "../../src/train/evaluation/evaluate.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { createEngine, type Engine } from "../../src/wasm/engine.ts";
import { examples, tinyConfig } from "../train/tiny.ts";

const batch = concatenate([[3, 5, 2, 6]]);
const labelled = concatenateLabelled(examples(1));
const quiet = { onWarning: () => {} };

async function model(engine: Engine, seed: number): Promise<CausalLM> {
  return AutoModelForCausalLM.fromConfig(tinyConfig, { engine, seed, weights: "stored" });
}
const adapter = (seed: number) => lora({ r: 2, initLoraWeights: false, seed });

/** Runs a method with a tape, which passes need. */
const taped = (call: (tape: Tape) => unknown) => (engine: Engine) => Tape.once(engine, {}, call);

type Calls<T> = Record<string, (it: T, engine: Engine) => unknown>;

/** Calls on any model. */
const onModel: Calls<CausalLM> = {
  loss: (it, engine) => taped((tape) => it.loss(tape, labelled))(engine),
  outputs: (it, engine) => taped((tape) => it.outputs(tape, batch))(engine),
  logits: (it, engine) => taped((tape) => it.logits(tape, batch))(engine),
  lastLogits: (it, engine) => taped((tape) => it.lastLogits(tape, batch))(engine),
  hidden: (it, engine) => taped((tape) => it.hidden(tape, batch))(engine),
  forward: (it) => it.forward(batch),
  cache: (it) => it.cache(4),
  namedWeights: (it) => it.namedWeights(),
  trainAll: (it) => it.trainAll(),
  watch: (it) => it.watch("test"),
  pass: (it, engine) => taped((tape) => it.outputs(tape, batch))(engine),
  expectLive: (it) => it.expectLive("test"),
  resized: (it) => resizeTokenEmbeddings(it, 40),
  savePretrained: (it) => it.savePretrained(new Map()),
};
/** These say something that does not depend on weights. */
const ofModel = ["constructor", "measure", "countLabels", "problemWith", "virtualLength", "dispose"];

const onPeft: Calls<PeftModel<CausalLM>> = {
  loss: (it, engine) => taped((tape) => it.loss(tape, labelled))(engine),
  measure: (it, engine) => taped((tape) => it.measure(tape, labelled))(engine),
  outputs: (it, engine) => taped((tape) => it.outputs(tape, batch))(engine),
  logits: (it, engine) => taped((tape) => it.logits(tape, batch))(engine),
  hidden: (it, engine) => taped((tape) => it.hidden(tape, batch))(engine),
  forward: (it) => it.forward(batch),
  pin: (it) => it.pin(),
  addAdapter: (it) => it.addAdapter("x", adapter(1)),
  loadAdapter: (it) => it.loadAdapter(new Map(), "x"),
  setAdapter: (it) => it.setAdapter("default"),
  addAdapterFusion: (it) => it.addAdapterFusion(["a", "b"]),
  loadAdapterFusion: (it) => it.loadAdapterFusion(new Map()),
  deleteAdapterFusion: (it) => it.deleteAdapterFusion("a,b"),
  setTrainable: (it) => it.setTrainable("default", true),
  deleteAdapter: (it) => it.deleteAdapter("default"),
  disableAdapter: (it) => it.disableAdapter(() => 1),
  addWeightedAdapter: (it) => it.addWeightedAdapter(["default"], [1], "x"),
  convertToLora: (it) => it.convertToLora("default", "x"),
  hotswapAdapter: (it) => it.hotswapAdapter(new Map(), "default"),
  mergeAdapter: (it) => it.mergeAdapter(),
  unmergeAdapter: (it) => it.unmergeAdapter(),
  mergeAndUnload: (it) => it.mergeAndUnload(),
  unload: (it) => it.unload(),
  namedTrainable: (it) => it.namedTrainable(),
  afterStep: (it) => it.afterStep(1, 1),
  namedState: (it) => it.namedState(),
  isLearned: (it) => it.isLearned("adapter_config.json", "r"),
  getNbTrainableParameters: (it) => it.getNbTrainableParameters(),
  describeTrainable: (it) => it.describeTrainable(),
  printTrainableParameters: (it) => it.printTrainableParameters(),
  adapterState: (it) => it.adapterState("default"),
  loadAdapterState: (it) => it.loadAdapterState("default", new Map()),
  savePretrained: (it) => it.savePretrained(new Map()),
  frozenWeights: (it) => [...it.frozenWeights()],
  peftConfig: (it) => it.peftConfig,
  activeAdapters: (it) => it.activeAdapters,
  mergedAdapters: (it) => it.mergedAdapters,
  adaptersEnabled: (it) => it.adaptersEnabled,
  adapterBytes: (it) => it.adapterBytes,
};
/** These are the base's. */
const ofPeft = ["constructor", "cache", "watch", "countLabels", "problemWith", "dispose"];

/** Functions that take a model. */
const around: Calls<CausalLM | PeftModel<CausalLM>> = {
  generate: (it) => generate(it, [3, 5, 2], { maxNewTokens: 2 }),
  stream: async (it) => {
    const tokenizer = {
      stopTokenIds: [],
      encode: () => [3],
      decode: () => "",
      streamDecoder: () => ({ push: () => "", end: () => "" }),
    };
    for await (const _ of stream(it, tokenizer as never, "x", { maxNewTokens: 2 }));
  },
  evaluateLoss: (it) => evaluateLoss(it, examples(2)),
};

async function expectRefused(call: () => unknown, name: string): Promise<void> {
  const error = await (async () => call())().then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error, `${name} on what was disposed of`).toBeInstanceOf(StateError);
  expect((error as Error).message, name).toMatch(/disposed of/);
}

function methodsOf(...prototypes: object[]): string[] {
  return prototypes.flatMap((prototype) =>
    Object.entries(Object.getOwnPropertyDescriptors(prototype)).flatMap(([name, { value }]) =>
      typeof value === "function" ? [name] : [],
    ),
  );
}

test("the lists below name every method", () => {
  const ofBase = new Set([...methodsOf(Model.prototype, CausalLM.prototype), "loss", "outputs"]);
  expect([...ofBase].sort()).toEqual([...Object.keys(onModel), ...ofModel].sort());
  const own = Object.entries(onPeft).filter(
    ([name]) => typeof Object.getOwnPropertyDescriptor(PeftModel.prototype, name)?.get !== "function",
  );
  const peft = new Set(methodsOf(ModelAround.prototype, PeftModel.prototype));
  expect([...peft].sort()).toEqual([...own.map(([name]) => name), ...ofPeft].sort());
});

test.each(["before another takes its place", "after another took its place"])(
  "a model that was disposed of refuses every call, %s",
  async (when) => {
    using engine = await createEngine({ build: "baseline" });
    const dead = await model(engine, 1);
    const before = dead.forward(batch);
    dead.dispose();
    dead.dispose();
    const next = when.startsWith("after") ? await model(engine, 2) : null;
    const numbers = next?.forward(batch);
    if (numbers) expect(numbers).not.toEqual(before);
    const used = engine.memory.usedBytes - engine.arenaBytes;
    for (const [name, call] of Object.entries(onModel)) await expectRefused(() => call(dead, engine), name);
    for (const [name, call] of Object.entries(around)) await expectRefused(() => call(dead, engine), name);
    await expectRefused(() => saveModel(dead, new Map()), "saveModel");
    await expectRefused(() => resizeTokenEmbeddings(dead, 40), "resizeTokenEmbeddings");
    await expectRefused(() => getPeftModel(dead, adapter(1)), "getPeftModel");
    expect(engine.memory.usedBytes - engine.arenaBytes).toBe(used);
    if (next) expect(next.forward(batch)).toEqual(numbers);
  },
);

test("adapters that were disposed of refuse every call, and their parameters write into no others", async () => {
  using engine = await createEngine({ build: "baseline" });
  const base = await model(engine, 1);
  const dead = getPeftModel(base, adapter(1), quiet);
  const kept = [...dead.namedTrainable().values()];
  const trainer = new Trainer({ model: dead, args: { maxSteps: 1 }, trainDataset: examples(2) });
  using optimizer = new AdamW(engine, dead.namedTrainable());
  dead.dispose();
  dead.dispose();
  const next = getPeftModel(base, adapter(2), quiet);
  const numbers = next.forward(batch);
  const used = engine.memory.usedBytes - engine.arenaBytes;
  for (const [name, call] of Object.entries(onPeft)) await expectRefused(() => call(dead, engine), name);
  for (const [name, call] of Object.entries(around)) await expectRefused(() => call(dead, engine), name);
  for (const param of kept) {
    for (const use of [
      () => param.values().fill(9),
      () => param.gradient().fill(9),
      () => param.ptr,
      () => param.setTrainable(true),
    ])
      await expectRefused(use, param.name);
  }
  await expectRefused(() => optimizer.step(1e-3), "step");
  await expectRefused(() => optimizer.zeroGrad(), "zeroGrad");
  await expectRefused(() => trainer.train(), "train");
  expect(optimizer.steps).toBe(0);
  expect(next.forward(batch)).toEqual(numbers);
  expect(engine.memory.usedBytes - engine.arenaBytes).toBe(used);
});

test("disposing of a model disposes of its adapters, merged and active ones too, and frees what both have", async () => {
  for (const merged of [false, true]) {
    using engine = await createEngine({ build: "baseline" });
    const base = await model(engine, 1);
    const peft = getPeftModel(base, lora({ r: 2, modulesToSave: merged ? [] : ["lm_head"] }), quiet);
    peft.forward(batch);
    if (merged) peft.mergeAdapter();
    base.dispose();
    expect(engine.memory.usedBytes - engine.arenaBytes).toBe(0);
    await expectRefused(() => peft.forward(batch), "forward");
    peft.dispose();
  }
});

test("a model has the adapters of one PeftModel at a time", async () => {
  using engine = await createEngine({ build: "baseline" });
  const base = await model(engine, 1);
  const first = new PeftModel(base, quiet);
  const second = getPeftModel(base, adapter(1), quiet);
  const message = "the model has the adapters of another PeftModel: use that one, or unload() it first";
  expect(() => first.forward(batch)).toThrow(message);
  expect(() => first.addAdapter("a", adapter(2))).toThrow(message);
  expect(() => getPeftModel(base, adapter(2), quiet)).toThrow(message);
  second.unload();
  first.addAdapter("a", adapter(2));
  expect(() => second.forward(batch)).toThrow(message);
});

test("caches, optimizers and engines that were disposed of say so", async () => {
  const engine = await createEngine({ build: "baseline" });
  const base = await model(engine, 1);
  const cache = base.cache(4);
  cache.dispose();
  cache.dispose();
  await expectRefused(() => Tape.once(engine, {}, (tape) => base.lastLogits(tape, batch, { cache })), "cache");
  const peft = getPeftModel(base, adapter(1), quiet);
  const optimizer = new AdamW(engine, peft.namedTrainable());
  optimizer.dispose();
  await expectRefused(() => optimizer.step(1e-3), "step");
  engine.dispose();
  for (const [name, call] of Object.entries(onModel)) await expectRefused(() => call(base, engine), name);
  await expectRefused(() => peft.forward(batch), "forward");
  await expectRefused(() => peft.addAdapter("b", adapter(2)), "addAdapter");
  await expectRefused(() => new AdamW(engine, peft.namedTrainable()), "AdamW");
  await expectRefused(() => engine.kernels, "kernels");
  await expectRefused(() => model(engine, 1), "fromConfig");
  peft.dispose();
  base.dispose();
  expect(engine.memory.usedBytes).toBe(0);
});
