/** Methods that change layers, and LoRA on other architectures, against PyTorch with PEFT: test/golden/methods. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { configFromJson } from "../../src/adapt/load.ts";
import { getPeftModel, PeftModel } from "../../src/adapt/peft-model.ts";
import { loadPretrained } from "../../src/auto/auto-model.ts";
import type { Task } from "../../src/core/task.ts";
import { bitfit } from "../../src/methods/bitfit.ts";
import type { Model } from "../../src/nn/model.ts";
import { concatenateLabelled, type Labelled } from "../../src/nn/sequences.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { Tape } from "../../src/tape/tape.ts";
import { readElements } from "../../src/tensor/elements.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { cases, expectTravelled, type TrainCase } from "../golden-files.ts";
import { expectNear, GOLDEN, readCase, readTensors, type Tensor } from "./goldens.ts";

interface Batch {
  readonly sequences?: readonly number[][];
  readonly pixel_values?: readonly number[][];
  readonly labels: readonly number[][];
  readonly token_type_ids?: readonly number[][];
}

interface Case extends TrainCase {
  readonly model: string;
  readonly task: Task;
  readonly peft_type: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly unsettled?: readonly string[];
  readonly batches: readonly Batch[];
}

type Expected = ReadonlyMap<string, Tensor>;

const kinds = ["ia3", "ln_tuning", "trainable_tokens", "adalora", "lora-more"];
/** Rows of their own for mT5's encoder and decoder, which share one table here; BitFit has tests of its own below. */
const others = ["mt5-tokens", "gpt2-bitfit", "bert-bitfit"];
const folders = kinds.flatMap((kind) =>
  cases(`methods/${kind}`)
    .filter((name) => !others.includes(name))
    .map((name) => `methods/${kind}/${name}`),
);

function examplesOf({ sequences, pixel_values: pixels, labels, token_type_ids: types }: Batch): Labelled[] {
  return labels.map((own, i) => ({
    inputIds: sequences?.[i] ?? [],
    labels: own,
    ...(types && { tokenTypes: types[i]! }),
    ...(pixels && { pixels: Float32Array.from(pixels[i]!) }),
  }));
}

const batchOf = (batch: Batch) => concatenateLabelled(examplesOf(batch));

async function baseOf({ model, task }: Case, build: "baseline" | "relaxed" = "baseline"): Promise<Model> {
  return loadPretrained(`${GOLDEN}${model}`, task, { engine: await createEngine({ build }) });
}

async function loaded(folder: string, golden: Case, isTrainable: boolean, build: "baseline" | "relaxed" = "baseline") {
  const onWarning = (message: string) => expect.fail(message);
  return PeftModel.fromPretrained(await baseOf(golden, build), `${GOLDEN}${folder}`, { isTrainable, onWarning });
}

/** Runs one batch forward and backward; returns the mean loss. Gradients are added to. */
function backward(model: PeftModel, batch: Batch): number {
  const count = examplesOf(batch).reduce((sum, example) => sum + model.countLabels(example), 0);
  return Tape.once(model.engine, { recording: true, training: true }, (tape) => {
    const losses = model.loss(tape, batchOf(batch));
    const sum = tape.download(losses).reduce((total, loss) => total + loss, 0);
    tape.backward(losses, 1 / count);
    return sum / count;
  });
}

function expectLogits(peft: PeftModel, { batches }: Case, { values }: Tensor): void {
  expectNear("logits", peft.forward(batchOf(batches[0]!)), values, 1e-4, 2e-4);
}

/** `keyOf` gives the golden's name of a tensor. */
function expectLossAndGradients(peft: PeftModel, golden: Case, expected: Expected, keyOf = (key: string) => key): void {
  const trained = peft.namedTrainable();
  for (const param of trained.values()) param.gradient().fill(0);
  expectNear("loss", [backward(peft, golden.batches[0]!)], expected.get("loss")!.values, 1e-5, 1e-5);
  for (const [key, param] of trained) {
    const want = expected.get(`grad.${keyOf(key)}`)?.values ?? expect.fail(`${key} is not trained by PEFT`);
    const size = want.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expectNear(`grad of ${key}`, param.gradient(), want, 2e-4 * size + 1e-7, 2e-4);
  }
}

/** Step i takes batch i modulo their number. AdaLoRA counts steps from 0 here, as its callers in PEFT do. */
function expectTraining(peft: PeftModel, golden: Case, expected: Expected, keyOf = (key: string) => key): void {
  const trained = peft.namedTrainable();
  const start = new Map(Array.from(trained, ([key, param]) => [key, param.values().slice()]));
  const [beta1, beta2] = golden.betas;
  using optimizer = new AdamW(peft.engine, trained, { beta1, beta2, eps: golden.eps, weightDecay: golden.weight_decay });
  const losses = Array.from({ length: golden.steps }, (_, step) => {
    optimizer.zeroGrad();
    const loss = backward(peft, golden.batches[step % golden.batches.length]!);
    optimizer.step(golden.lr, 1);
    peft.afterStep(step, 1);
    return loss;
  });
  expectNear("losses", losses, expected.get("losses")!.values, 1e-4, 1e-4);
  for (const [key, param] of trained) {
    if (golden.unsettled?.includes(keyOf(key))) continue;
    expectTravelled(key, param.values(), expected.get(`after.${keyOf(key)}`)!.values, start.get(key)!, 0.02);
  }
}

async function saved(peft: PeftModel): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await peft.savePretrained(files);
  return files;
}

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** PEFT writes sets in no order, and the heads of a classifier twice. */
function configOf(text: string): Record<string, unknown> {
  const sorted = (_: string, value: unknown) =>
    Array.isArray(value) && value.every((each) => typeof each === "string") ? [...new Set(value)].sort() : value;
  return JSON.parse(text, sorted);
}

describe.each(folders)("%s", (folder) => {
  const golden = readCase<Case>(folder);

  for (const build of ["baseline", "relaxed"] as const) {
    test(`logits, loss and gradients are PyTorch's (${build})`, async () => {
      const expected = await readTensors(folder);
      const peft = await loaded(folder, golden, true, build);
      expectLogits(peft, golden, expected.get("logits")!);
      expectLossAndGradients(peft, golden, expected);
      const slopes = Array.from(expected.keys()).filter((key) => key.startsWith("grad."));
      expect(peft.namedTrainable().size).toBe(slopes.length);
    });
  }

  test("training ends where PyTorch's ends", async () => {
    expectTraining(await loaded(folder, golden, true), golden, await readTensors(folder));
  });

  test("merging changes the weights that PEFT's merging changes, to the same values", async () => {
    const expected = await readTensors(folder);
    const peft = await loaded(folder, golden, false);
    const merged = peft.mergeAndUnload({ safeMerge: true });
    const weights = merged.namedWeights();
    const keys = Array.from(expected.keys()).filter((key) => key.startsWith("merged."));
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) {
      const weight = weights.get(key.slice(7)) ?? expect.fail(`${key} is no weight`);
      expectNear(key, readElements(merged.engine.memory, weight), expected.get(key)!.values, 1e-5, 1e-5);
    }
    const logits = Tape.once(merged.engine, {}, (tape) =>
      tape.download(merged.outputs(tape, batchOf(golden.batches[0]!))),
    );
    expectNear("merged logits", logits, expected.get("logits")!.values, 2e-4, 2e-4);
  });

  test("saving what was loaded gives PEFT's bytes", async () => {
    const files = await saved(await loaded(folder, golden, false));
    const theirs = readFileSync(`${GOLDEN}${folder}/adapter_model.safetensors`);
    expect(Buffer.from(files.get("adapter_model.safetensors")!).toString("latin1")).toBe(theirs.toString("latin1"));
    expect(configOf(textOf(files.get("adapter_config.json")!))).toEqual(
      configOf(readFileSync(`${GOLDEN}${folder}/adapter_config.json`, "utf8")),
    );
  });

  test("a fresh adapter is saved under PEFT's keys with PEFT's config", async () => {
    const json = { peft_type: golden.peft_type, ...golden.options, base_model_name_or_path: golden.model };
    const peft = getPeftModel(await baseOf(golden), await configFromJson(json));
    const files = await saved(peft);
    const header = (bytes: Uint8Array) => {
      const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
      return JSON.parse(textOf(bytes.subarray(8, 8 + size)));
    };
    expect(header(files.get("adapter_model.safetensors")!)).toEqual(
      header(readFileSync(`${GOLDEN}${folder}/adapter_model.safetensors`)),
    );
    const { target_modules: ours, ...rest } = configOf(textOf(files.get("adapter_config.json")!));
    const { target_modules: theirs, ...others } = configOf(readFileSync(`${GOLDEN}${folder}/adapter_config.json`, "utf8"));
    expect(rest).toEqual(others);
    expect([ours].flat()).toEqual([theirs].flat());
  });
});

describe.each(cases("methods/adalora"))("AdaLoRA after its last step (%s)", (name) => {
  const folder = `methods/adalora/${name}`;
  const golden = readCase<Case>(folder);
  const patternOf = (text: string) => JSON.parse(text).rank_pattern;

  test("the same ranks are left as in PEFT, saved alone, and say the same", async () => {
    const expected = await readTensors(folder);
    const peft = await loaded(folder, golden, true);
    expectTraining(peft, golden, expected);
    const files = await saved(peft);
    const theirs = readFileSync(`${GOLDEN}${folder}/after/adapter_config.json`, "utf8");
    expect(patternOf(textOf(files.get("adapter_config.json")!))).toEqual(patternOf(theirs));
    const again = await PeftModel.fromPretrained(await baseOf(golden), files);
    const batch = batchOf(golden.batches[0]!);
    expectNear("pruned", again.forward(batch), peft.forward(batch), 1e-5, 1e-5);
    // Twelve steps of rounding apart from PyTorch.
    expectNear("logits", again.forward(batch), expected.get("logits_after")!.values, 2e-3, 2e-3);
  });

  test("what PEFT saved then is loaded, trained, merged and saved again", async () => {
    const expected = await readTensors(folder);
    const peft = await loaded(`${folder}/after`, golden, true);
    expectLogits(peft, golden, expected.get("logits_after")!);
    const files = await saved(peft);
    const theirs = readFileSync(`${GOLDEN}${folder}/after/adapter_model.safetensors`);
    expect(Buffer.from(files.get("adapter_model.safetensors")!).equals(theirs)).toBe(true);
    expect(configOf(textOf(files.get("adapter_config.json")!))).toEqual(
      configOf(readFileSync(`${GOLDEN}${folder}/after/adapter_config.json`, "utf8")),
    );
    expect(backward(peft, golden.batches[0]!)).toBeGreaterThan(0);
    const before = peft.forward(batchOf(golden.batches[0]!));
    peft.mergeAdapter();
    expectNear("merged", peft.forward(batchOf(golden.batches[0]!)), before, 2e-4, 2e-4);
  });
});

describe.each(["gpt2-bitfit", "bert-bitfit"])("BitFit is LoRA with zero factors and all biases (%s)", (name) => {
  const folder = `methods/lora-more/${name}`;
  const golden = readCase<Case>(folder);
  /** PEFT's case has factors on every default layer, ours on the first alone. */
  const keyIn = (expected: Expected) => (key: string) => {
    const plain = key.replace(".base_layer.", ".");
    const wrapped = key.replace(/\.(bias|weight)$/, ".base_layer.$1");
    return [key, plain, wrapped].find((each) => expected.has(`after.${each}`)) ?? expect.fail(`${key} is not trained by PEFT`);
  };

  test("loss, gradients and four AdamW steps are PyTorch's", async () => {
    const expected = await readTensors(folder);
    const peft = getPeftModel(await baseOf(golden), bitfit());
    const start = await readTensors(folder, "adapter_model.safetensors");
    const keyOf = keyIn(expected);
    for (const [key, param] of peft.namedTrainable()) param.values().set(start.get(keyOf(key))!.values);
    expectLogits(peft, golden, expected.get("logits")!);
    expectLossAndGradients(peft, golden, expected, keyOf);
    expectTraining(peft, golden, expected, keyOf);
    const theirs = Array.from(expected.keys()).filter((key) => key.startsWith("after.") && !key.includes("lora_"));
    expect(peft.namedTrainable().size).toBe(theirs.length);
  });

  test("what PEFT saved is loaded as the LoRA it is", async () => {
    expectLogits(await loaded(folder, golden, false), golden, (await readTensors(folder)).get("logits")!);
  });

  test("is saved as a LoRA, and goes on as one", async () => {
    const files = await saved(getPeftModel(await baseOf(golden), bitfit()));
    const config = JSON.parse(textOf(files.get("adapter_config.json")!));
    const theirs = JSON.parse(readFileSync(`${GOLDEN}${folder}/adapter_config.json`, "utf8"));
    expect(Object.keys(config)).toEqual(Object.keys(theirs));
    expect(config).toMatchObject({ peft_type: "LORA", r: 1, bias: "all", fan_in_fan_out: theirs.fan_in_fan_out });
    const again = await PeftModel.fromPretrained(await baseOf(golden), files, { isTrainable: true });
    const [batch] = golden.batches as [Batch];
    expect(again.forward(batchOf(batch))).toEqual(await baseForward(golden, batch));
    for (const param of again.namedTrainable().values()) param.gradient().fill(0);
    backward(again, batch);
    for (const [key, param] of again.namedTrainable())
      if (key.includes("lora_")) expect(Array.from(param.gradient()), key).toEqual(new Array(param.size).fill(0));
  });
});

async function baseForward(golden: Case, batch: Batch): Promise<Float32Array> {
  const base = await baseOf(golden);
  return Tape.once(base.engine, {}, (tape) => tape.download(base.outputs(tape, batchOf(batch))));
}
