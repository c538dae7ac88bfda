/** Prompt methods against PyTorch with PEFT, over the adapters in test/golden/methods. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { configFromJson } from "../../../src/adapt/files/load.ts";
import { getPeftModel, PeftModel } from "../../../src/adapt/peft-model.ts";
import { loadPretrained } from "../../../src/auto/auto-model.ts";
import type { Task } from "../../../src/core/task.ts";
import { concatenateLabelled, type Labelled } from "../../../src/nn/pass/sequences.ts";
import type { Model } from "../../../src/nn/tasks/model.ts";
import { AdamW } from "../../../src/optim/adamw.ts";
import { Tape } from "../../../src/tape/tape.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import {
  cases,
  expectClose,
  expectTravelled,
  GOLDEN,
  readCase,
  readTensors,
  type Tensor,
  type TrainCase,
} from "../../golden-files.ts";

interface Batch {
  readonly sequences: readonly number[][];
  readonly labels: readonly (number | number[])[];
  readonly token_type_ids?: readonly number[][];
  readonly task_ids?: readonly number[];
}

interface Case extends TrainCase {
  readonly model: string;
  readonly peft_type: string;
  readonly options: { readonly task_type: Task };
  readonly unsettled?: readonly string[];
  readonly batches: readonly Batch[];
}

type Expected = ReadonlyMap<string, Tensor>;

const kinds = ["prompt_tuning", "multitask_prompt_tuning", "p_tuning", "prefix_tuning", "adaption_prompt"];
const folders = kinds.flatMap((kind) => cases(`methods/${kind}`).map((name) => `methods/${kind}/${name}`));

function examplesOf({ sequences, labels, token_type_ids, task_ids }: Batch): Labelled[] {
  return sequences.map((inputIds, i) => ({
    inputIds,
    labels: [labels[i]!].flat(),
    ...(token_type_ids && { tokenTypes: token_type_ids[i]! }),
    ...(task_ids && { taskId: task_ids[i]! }),
  }));
}

const batchOf = (batch: Batch) => concatenateLabelled(examplesOf(batch));

async function baseOf({ model, options }: Case, build: "baseline" | "relaxed"): Promise<Model> {
  return loadPretrained(`${GOLDEN}/${model}`, options.task_type, { engine: await createEngine({ build }) });
}

/** The adapter as PEFT saved it. */
async function loaded(folder: string, golden: Case, isTrainable = true, build: "baseline" | "relaxed" = "baseline") {
  const onWarning = (message: string) => expect.fail(message);
  return PeftModel.fromPretrained(await baseOf(golden, build), `${GOLDEN}/${folder}`, { isTrainable, onWarning });
}

/** A fresh adapter with the tensors that PEFT trained from: where those are not what is saved. */
async function begun(golden: Case, expected: Expected): Promise<PeftModel> {
  const config = await configFromJson({ peft_type: golden.peft_type, ...golden.options });
  const peft = getPeftModel(await baseOf(golden, "baseline"), config);
  for (const [key, param] of peft.namedTrainable()) {
    const start = expected.get(`start.${key}`)!;
    expect(start.shape, key).toEqual(param.shape);
    param.values().set(start.values);
  }
  return peft;
}

const isNetwork = (expected: Expected) => Array.from(expected.keys()).some((key) => key.startsWith("start."));

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

function expectLogits(peft: PeftModel, { batches }: Case, expected: Expected): void {
  expectClose("logits", peft.forward(batchOf(batches[0]!)).data, expected.get("logits")!.values, 1e-4, 2e-4);
}

function expectLossAndGradients(peft: PeftModel, { batches }: Case, expected: Expected): void {
  for (const param of peft.namedTrainable().values()) param.gradient().fill(0);
  expectClose("loss", [backward(peft, batches[0]!)], expected.get("loss")!.values, 1e-5, 1e-5);
  const trained = peft.namedTrainable();
  const keys = Array.from(expected.keys()).filter((key) => key.startsWith("grad."));
  expect(keys.map((key) => key.slice(5)).sort()).toEqual([...trained.keys()].sort());
  for (const key of keys) {
    const want = expected.get(key)!.values;
    const size = want.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expectClose(key, trained.get(key.slice(5))!.gradient(), want, 2e-4 * size + 1e-7, 2e-4);
  }
}

function expectTraining(peft: PeftModel, golden: Case, expected: Expected): void {
  const trained = peft.namedTrainable();
  const start = new Map(Array.from(trained, ([key, param]) => [key, param.values().slice()]));
  const [beta1, beta2] = golden.betas;
  using optimizer = new AdamW(peft.engine, trained, {
    beta1,
    beta2,
    eps: golden.eps,
    weightDecay: golden.weight_decay,
  });
  const losses = golden.batches.map((batch) => {
    optimizer.zeroGrad();
    const loss = backward(peft, batch);
    optimizer.step(golden.lr, 1);
    return loss;
  });
  expectClose("losses", losses, expected.get("losses")!.values, 1e-4, 1e-4);
  for (const [key, param] of trained) {
    if (golden.unsettled?.includes(key)) continue;
    expectTravelled(key, param.values(), expected.get(`after.${key}`)!.values, start.get(key)!, 0.02);
  }
}

describe.each(folders)("%s", (folder) => {
  const golden = readCase<Case>(folder);

  for (const build of ["baseline", "relaxed"] as const) {
    test(`logits of the saved adapter are PyTorch's (${build})`, async () => {
      expectLogits(await loaded(folder, golden, false, build), golden, await readTensors(folder));
    });
  }

  test.skipIf(golden.steps === 0)("loss, gradients and four AdamW steps are PyTorch's", async () => {
    const expected = await readTensors(folder);
    const peft = isNetwork(expected) ? await begun(golden, expected) : await loaded(folder, golden);
    expectLogits(peft, golden, expected);
    expectLossAndGradients(peft, golden, expected);
    expectTraining(peft, golden, expected);
    const after = expected.get("after.prompt_embeddings");
    if (!isNetwork(expected)) return;
    const files = new Map<string, Uint8Array>();
    await peft.savePretrained(files);
    const again = await PeftModel.fromPretrained(await baseOf(golden, "baseline"), files, { isTrainable: true });
    const table = again.namedTrainable().get("prompt_embeddings")!;
    expect(table.shape).toEqual(after!.shape);
    expectTravelled("the saved table", table.values(), after!.values, (await tableOf(folder)).values, 0.02);
  });

  test("saving what was loaded gives PEFT's bytes", async () => {
    const files = new Map<string, Uint8Array>();
    await (await loaded(folder, golden, false)).savePretrained(files);
    for (const name of ["adapter_model.safetensors", "adapter_config.json"]) {
      const theirs = readFileSync(`${GOLDEN}/${folder}/${name}`);
      expect(Buffer.from(files.get(name)!).toString("latin1"), name).toBe(theirs.toString("latin1"));
    }
  });

  test("a fresh adapter is saved under PEFT's keys with PEFT's config", async () => {
    const model = await baseOf(golden, "baseline");
    const config = await configFromJson({
      peft_type: golden.peft_type,
      ...golden.options,
      base_model_name_or_path: golden.model,
    });
    const peft = getPeftModel(model, config);
    const files = new Map<string, Uint8Array>();
    await peft.savePretrained(files);
    const header = (bytes: Uint8Array) => {
      const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
      return JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)));
    };
    const theirs = readFileSync(`${GOLDEN}/${folder}/adapter_model.safetensors`);
    expect(header(files.get("adapter_model.safetensors")!)).toEqual(header(theirs));
    // PEFT lists the heads of a classifier twice.
    const configOf = (text: string) => {
      const { modules_to_save: saved, ...rest } = JSON.parse(text);
      return { ...rest, modules_to_save: saved && [...new Set(saved)] };
    };
    expect(configOf(new TextDecoder().decode(files.get("adapter_config.json")!))).toEqual(
      configOf(readFileSync(`${GOLDEN}/${folder}/adapter_config.json`, "utf8")),
    );
  });
});

async function tableOf(folder: string): Promise<Tensor> {
  return (await readTensors(folder, "adapter_model.safetensors")).get("prompt_embeddings")!;
}
