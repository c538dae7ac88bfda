/** Methods on linear layers against PyTorch with PEFT, over the adapters in test/golden/methods. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { configFromJson } from "../src/adapt/files/load.ts";
import { getPeftModel, PeftModel } from "../src/adapt/peft-model.ts";
import { loadPretrained } from "../src/auto/auto-model.ts";
import type { Task } from "../src/core/task.ts";
import { concatenateLabelled, type Labelled } from "../src/nn/pass/sequences.ts";
import type { Model } from "../src/nn/tasks/model.ts";
import { AdamW } from "../src/optim/adamw.ts";
import { Tape } from "../src/tape/tape.ts";
import { readElements } from "../src/tensor/elements.ts";
import { createEngine } from "../src/wasm/engine.ts";
import {
  cases,
  expectClose,
  expectTravelled,
  GOLDEN,
  readCase,
  readTensors,
  type Tensor,
  type TrainCase,
} from "./golden-files.ts";

const kinds = ["loha", "lokr", "oft", "vera"];

interface Batch {
  readonly sequences: readonly number[][];
  readonly labels: readonly number[][];
  readonly token_type_ids?: readonly number[][];
}

interface Case extends TrainCase {
  readonly model: string;
  readonly task: Task;
  readonly peft_type: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly unsettled: readonly string[];
  readonly batches: readonly Batch[];
}

type Expected = ReadonlyMap<string, Tensor>;
type Build = "baseline" | "relaxed";

function examplesOf({ sequences, labels, token_type_ids }: Batch): Labelled[] {
  return sequences.map((inputIds, i) => ({
    ...{ inputIds, labels: labels[i]! },
    ...(token_type_ids && { tokenTypes: token_type_ids[i]! }),
  }));
}

const batchOf = (batch: Batch) => concatenateLabelled(examplesOf(batch));

async function baseOf({ model, task }: Case, build: Build = "baseline"): Promise<Model> {
  return loadPretrained(`${GOLDEN}/${model}`, task, { engine: await createEngine({ build }) });
}

/** Told by PEFT too. */
const isExpected = (warning: string) => warning.startsWith("oftBlockSize 6 does not divide");

async function loaded(folder: string, golden: Case, isTrainable: boolean, build?: Build): Promise<PeftModel> {
  const onWarning = (warning: string) => expect(warning).toSatisfy(isExpected);
  return PeftModel.fromPretrained(await baseOf(golden, build), `${GOLDEN}/${folder}`, { isTrainable, onWarning });
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

function train(peft: PeftModel, golden: Case): number[] {
  const [beta1, beta2] = golden.betas;
  const settings = { beta1, beta2, eps: golden.eps, weightDecay: golden.weight_decay };
  using optimizer = new AdamW(peft.engine, peft.namedTrainable(), settings);
  return golden.batches.map((batch) => {
    optimizer.zeroGrad();
    const loss = backward(peft, batch);
    optimizer.step(golden.lr, 1);
    return loss;
  });
}

function expectGradients(peft: PeftModel, expected: Expected): void {
  const trained = peft.namedTrainable();
  const keys = Array.from(expected.keys()).filter((key) => key.startsWith("grad."));
  expect(keys.map((key) => key.slice(5)).sort()).toEqual([...trained.keys()].sort());
  for (const key of keys) {
    const want = expected.get(key)!.values;
    const size = want.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expectClose(key, trained.get(key.slice(5))!.gradient(), want, 2e-4 * size + 1e-7, 2e-4);
  }
}

const folders = kinds.flatMap((kind) => cases(`methods/${kind}`).map((name) => `methods/${kind}/${name}`));

describe.each(folders)("%s", (folder) => {
  const golden = readCase<Case>(folder);
  const [batch] = golden.batches as [Batch];

  for (const build of ["baseline", "relaxed"] as const) {
    test(`logits, loss and gradients are PyTorch's (${build})`, async () => {
      const expected = await readTensors(folder);
      const peft = await loaded(folder, golden, true, build);
      expectClose("logits", peft.forward(batchOf(batch)).data, expected.get("logits")!.values, 1e-4, 2e-4);
      expectClose("loss", [backward(peft, batch)], expected.get("loss")!.values, 1e-5, 1e-5);
      expectGradients(peft, expected);
    });
  }

  test("four AdamW steps end where PyTorch's end", async () => {
    const expected = await readTensors(folder);
    const peft = await loaded(folder, golden, true);
    const trained = peft.namedTrainable();
    const start = new Map(Array.from(trained, ([key, param]) => [key, param.values().slice()]));
    expectClose("losses", train(peft, golden), expected.get("losses")!.values, 1e-4, 1e-4);
    for (const [key, param] of trained) {
      if (golden.unsettled.includes(key)) continue;
      expectTravelled(key, param.values(), expected.get(`after.${key}`)!.values, start.get(key)!, 0.02);
    }
  });

  test("merging changes the weights that PEFT's merging changes, to the same values", async () => {
    const expected = await readTensors(folder);
    const merged = (await loaded(folder, golden, false)).mergeAndUnload({ safeMerge: true });
    const keys = Array.from(expected.keys()).filter((key) => key.startsWith("merged."));
    expect(keys.length).toBeGreaterThan(0);
    const weights = merged.namedWeights();
    for (const key of keys) {
      const values = readElements(merged.engine.memory, weights.get(key.slice(7))!);
      expectClose(key, values, expected.get(key)!.values, 1e-5, 1e-5);
    }
  });

  test("saving what was loaded gives PEFT's bytes", async () => {
    const files = new Map<string, Uint8Array>();
    await (await loaded(folder, golden, false)).savePretrained(files);
    const theirs = readFileSync(`${GOLDEN}/${folder}/adapter_model.safetensors`);
    expect(Buffer.from(files.get("adapter_model.safetensors")!).equals(theirs)).toBe(true);
    expect(sortLists(new TextDecoder().decode(files.get("adapter_config.json")!))).toBe(
      sortLists(readFileSync(`${GOLDEN}/${folder}/adapter_config.json`, "utf8")),
    );
  });

  test("a fresh adapter is saved under PEFT's keys with PEFT's config", async () => {
    const options = { ...golden.options, base_model_name_or_path: golden.model };
    const config = await configFromJson({ peft_type: golden.peft_type, ...options });
    const peft = getPeftModel(await baseOf(golden), config, { onWarning: () => {} });
    const files = new Map<string, Uint8Array>();
    await peft.savePretrained(files);
    const theirs = readFileSync(`${GOLDEN}/${folder}/adapter_model.safetensors`);
    expect(headerOf(files.get("adapter_model.safetensors")!)).toEqual(headerOf(theirs));
    expect(keysOf(new TextDecoder().decode(files.get("adapter_config.json")!))).toEqual(
      keysOf(readFileSync(`${GOLDEN}/${folder}/adapter_config.json`, "utf8")),
    );
  });
});

describe.each(cases("methods/vera"))("vera/%s", (name) => {
  const folder = `methods/vera/${name}`;
  const golden = readCase<Case>(folder);

  test("the shared matrices are made from their seed as PyTorch makes them", async () => {
    const options = { ...golden.options, save_projection: true };
    const config = await configFromJson({ peft_type: "VERA", ...options });
    const files = new Map<string, Uint8Array>();
    await getPeftModel(await baseOf(golden), config, { onWarning: () => {} }).savePretrained(files);
    const expected = await readTensors(folder);
    for (const matrix of ["vera_A", "vera_B"]) {
      expect(tensorIn(files.get("adapter_model.safetensors")!, `base_model.${matrix}`)).toEqual(
        expected.get(`projection.${matrix}`)!.values,
      );
    }
  });
});

interface Header {
  readonly [key: string]: { readonly data_offsets: readonly [number, number] };
}

function headerOf(bytes: Uint8Array): Header {
  return JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerSize(bytes)))) as Header;
}

function headerSize({ buffer, byteOffset }: Uint8Array): number {
  return Number(new DataView(buffer, byteOffset).getBigUint64(0, true));
}

function tensorIn(bytes: Uint8Array, key: string): Float32Array {
  const [start, end] = headerOf(bytes)[key]!.data_offsets.map((at) => at + 8 + headerSize(bytes));
  return new Float32Array(bytes.slice(start, end).buffer);
}

/** Lists as sets, and the heads of a classifier once: PEFT lists them twice. */
function keysOf(text: string): Record<string, unknown> {
  const once = (value: unknown) => (Array.isArray(value) ? [...new Set(value)].sort() : value);
  const keys = JSON.parse(text) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, once(value)]));
}

/** PEFT writes sets in no order: the text with the lines of each list sorted. */
function sortLists(text: string): string {
  return text.replace(
    /\[\n([^\]]*)\n {2}\]/g,
    (_, lines: string) => `[\n${lines.split(",\n").sort().join(",\n")}\n  ]`,
  );
}
