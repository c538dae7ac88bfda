/** Bottleneck adapters, alone and composed, against PyTorch with AdapterHub's library, over test/golden/methods/bottleneck. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { batchSplit, type CompositionNode, fuse, parallel, split, stack } from "../../src/adapt/compose/composition.ts";
import { PeftModel } from "../../src/adapt/peft-model.ts";
import { loadPretrained } from "../../src/auto/auto-model.ts";
import { UnsupportedError } from "../../src/core/errors.ts";
import type { Task } from "../../src/core/task.ts";
import { concatenateLabelled, type Labelled } from "../../src/nn/pass/sequences.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { Tape } from "../../src/tape/tape.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import {
  cases,
  expectClose,
  expectTravelled,
  GOLDEN,
  readCase,
  readTensors,
  type Tensor,
  type TrainCase,
} from "../golden-files.ts";

interface Batch {
  readonly sequences: readonly number[][];
  readonly labels: readonly (number | number[])[];
  readonly token_type_ids?: readonly number[][];
}
interface Composed {
  readonly type: CompositionNode["type"];
  readonly children: readonly string[];
  readonly splits?: readonly number[];
  readonly batch_sizes?: readonly number[];
  readonly weights?: readonly number[];
}
interface Case extends TrainCase {
  readonly model: string;
  readonly task: Task;
  readonly unsettled?: readonly string[];
  readonly composition?: Composed;
  readonly batches: readonly Batch[];
}
type Build = "baseline" | "relaxed";
type Expected = ReadonlyMap<string, Tensor>;

const ROOT = "methods/bottleneck";

function examplesOf({ sequences, labels, token_type_ids }: Batch): Labelled[] {
  return sequences.map((inputIds, i) => ({
    inputIds,
    labels: [labels[i]!].flat(),
    ...(token_type_ids && { tokenTypes: token_type_ids[i]! }),
  }));
}
const batchOf = (batch: Batch) => concatenateLabelled(examplesOf(batch));

function compositionOf({ type, children, splits, batch_sizes, weights }: Composed): CompositionNode {
  if (type === "Stack") return stack(...children);
  if (type === "Fuse") return fuse(...children);
  if (type === "Parallel") return parallel(...children);
  if (type === "Split") return split(children, splits!);
  if (type === "BatchSplit") return batchSplit(children, batch_sizes!);
  // AdapterHub divides by the number of adapters once too often; `average` does not.
  const sum = weights!.reduce((total, weight) => total + weight, 0);
  return { type, children, weights: weights!.map((weight) => weight / sum / children.length) };
}

async function loaded(name: string, golden: Case, build: Build = "baseline"): Promise<PeftModel> {
  const folder = `${GOLDEN}/${ROOT}/${name}`;
  const engine = await createEngine({ build });
  const onWarning = (message: string) => expect.fail(message);
  const peft = new PeftModel(await loadPretrained(`${GOLDEN}/${golden.model}`, golden.task, { engine }), { onWarning });
  const options = { isTrainable: true };
  if (golden.composition === undefined) {
    await peft.loadAdapter(folder, "mine", options);
    peft.setAdapter("mine");
    return peft;
  }
  for (const child of golden.composition.children) await peft.loadAdapter(`${folder}/${child}`, child, options);
  if (golden.composition.type === "Fuse") {
    // The goldens leave out what the library's trainer adds to the loss.
    const values = { regularization: false };
    expect(await peft.loadAdapterFusion(`${folder}/a,b`, { ...options, values })).toBe("a,b");
  }
  peft.setAdapter(compositionOf(golden.composition));
  return peft;
}

/** The names under which AdapterHub has what is trained here: one head for all adapters. */
function published(key: string, { composition }: Case): string {
  const slash = key.indexOf("/");
  const [owner, inside] = slash < 0 ? ["tiny", key] : [key.slice(0, slash), key.slice(slash + 1)];
  expect(composition !== undefined, key).toBe(slash >= 0);
  return inside.replace(/\.(adapters|adapter_fusion_layer)\./, `.$1.${owner}.`);
}

function backward(model: PeftModel, batch: Batch): number {
  const count = examplesOf(batch).reduce((sum, example) => sum + model.countLabels(example), 0);
  return Tape.once(model.engine, { recording: true, training: true }, (tape) => {
    const losses = model.loss(tape, batchOf(batch));
    const sum = tape.download(losses).reduce((total, loss) => total + loss, 0);
    tape.backward(losses, 1 / count);
    return sum / count;
  });
}

function expectLossAndGradients(peft: PeftModel, golden: Case, expected: Expected): void {
  const trained = peft.namedTrainable();
  for (const param of trained.values()) param.gradient().fill(0);
  expectClose("loss", [backward(peft, golden.batches[0]!)], expected.get("loss")!.values, 1e-5, 1e-5);
  const found = new Map<string, Float32Array>();
  for (const [key, param] of trained) {
    const name = published(key, golden);
    const before = found.get(name); // the adapters of a divided batch have heads of their own
    found.set(
      name,
      param.gradient().map((slope, i) => slope + (before?.[i] ?? 0)),
    );
  }
  const keys = [...expected.keys()].filter((key) => key.startsWith("grad."));
  expect(keys.map((key) => key.slice(5)).sort()).toEqual([...found.keys()].sort());
  for (const key of keys) {
    const want = expected.get(key)!.values;
    const size = want.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expectClose(key, found.get(key.slice(5))!, want, 2e-4 * size + 1e-7, 2e-4);
  }
}

function expectTraining(peft: PeftModel, golden: Case, expected: Expected): void {
  const trained = peft.namedTrainable();
  const start = new Map(Array.from(trained, ([key, param]) => [key, param.values().slice()]));
  const [beta1, beta2] = golden.betas;
  const settings = { beta1, beta2, eps: golden.eps, weightDecay: golden.weight_decay };
  using optimizer = new AdamW(peft.engine, trained, settings);
  const losses = golden.batches.map((batch) => {
    optimizer.zeroGrad();
    const loss = backward(peft, batch);
    optimizer.step(golden.lr, 1);
    return loss;
  });
  expectClose("losses", losses, expected.get("losses")!.values, 1e-4, 1e-4);
  for (const [key, param] of trained) {
    const name = published(key, golden);
    const want = expected.get(`after.${name}`)!.values;
    if (golden.unsettled?.includes(name)) continue;
    if (want.every((x, i) => x === start.get(key)![i])) expect(param.values(), key).toEqual(start.get(key)!);
    else expectTravelled(key, param.values(), want, start.get(key)!, 0.02);
  }
}

describe.each(cases(ROOT))("%s", (name) => {
  const golden = readCase<Case>(`${ROOT}/${name}`);
  const type = golden.composition?.type;

  for (const build of ["baseline", "relaxed"] as const) {
    test(`logits are AdapterHub's (${build})`, async () => {
      const peft = await loaded(name, golden, build);
      const want = (await readTensors(`${ROOT}/${name}`)).get("logits")!.values;
      expectClose("logits", peft.forward(batchOf(golden.batches[0]!)).data, want, 1e-4, 2e-4);
    });
  }

  test.skipIf(golden.steps === 0)("loss and gradients are AdapterHub's, and so is where training leads", async () => {
    const peft = await loaded(name, golden);
    const expected = await readTensors(`${ROOT}/${name}`);
    expectLossAndGradients(peft, golden, expected);
    if (type !== "BatchSplit") expectTraining(peft, golden, expected);
  });

  test("disabled it is the base, bit for bit; merging is refused", async () => {
    const peft = await loaded(name, golden);
    const engine = await createEngine({ build: "baseline" });
    const base = await loadPretrained(`${GOLDEN}/${golden.model}`, golden.task, { engine });
    const batch = batchOf(golden.batches[0]!);
    const plain = new PeftModel(base).forward(batch).data;
    expect(peft.disableAdapter(() => peft.forward(batch).data)).toEqual(plain);
    expect(peft.forward(batch).data).not.toEqual(plain);
    expect(() => peft.mergeAdapter()).toThrow(UnsupportedError);
    expect(() => peft.mergeAdapter()).toThrow(/bottleneck changes more than weights/);
    expect(new PeftModel(peft.unload()).forward(batch).data).toEqual(plain);
  });

  test("a folder is read as a whole, and saving it gives AdapterHub's bytes", async () => {
    const folder = `${GOLDEN}/${ROOT}/${name}`;
    const base = await loadPretrained(`${GOLDEN}/${golden.model}`, golden.task, {
      engine: await createEngine({ build: "baseline" }),
    });
    const peft = await PeftModel.fromPretrained(base, folder, { adapterName: "tiny" });
    if (type !== undefined && type !== "Average") {
      expect(peft.forward(batchOf(golden.batches[0]!)).data).toEqual(
        (await loaded(name, golden)).forward(batchOf(golden.batches[0]!)).data,
      );
    }
    const files = new Map<string, Uint8Array>();
    await peft.savePretrained(files);
    const compared = [...files].filter(([file, bytes]) => {
      const theirs = `${folder}/${file.replace(/^tiny\//, "")}`;
      if (!existsSync(theirs)) return false; // those with .bin files
      expect(Buffer.from(bytes).toString("latin1"), file).toBe(readFileSync(theirs).toString("latin1"));
      return true;
    });
    expect(compared.length).toBeGreaterThan(0);
  });
});
