/** LoRA against PyTorch with PEFT, over the adapters in test/golden/methods/lora. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { PeftModel } from "../../src/adapt/peft-model.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { clipScale, gradientNorm } from "../../src/optim/clip.ts";
import { Tape } from "../../src/tape/tape.ts";
import { readElements } from "../../src/tensor/elements.ts";
import {
  type Batch,
  batchOf,
  cases,
  distance,
  expectClose,
  GOLDEN,
  labelCount,
  loadGolden,
  readCase,
  readTensors,
  type TrainedCase,
} from "../golden-files.ts";

/** Runs one batch forward and backward; returns the mean loss. Gradients are added to. */
function backward(model: PeftModel, batch: Batch): number {
  const labels = labelCount(batch);
  return Tape.once(model.engine, { recording: true, training: true }, (tape) => {
    const losses = model.loss(tape, batchOf(batch));
    const sum = tape.download(losses).reduce((total, loss) => total + loss, 0);
    tape.backward(losses, 1 / labels);
    return sum / labels;
  });
}

async function loadCase(name: string, isTrainable: boolean, build: "baseline" | "relaxed" = "baseline") {
  const folder = `methods/lora/${name}`;
  const golden = readCase<TrainedCase>(folder);
  const { model } = await loadGolden(golden.model, build);
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  const peft = await PeftModel.fromPretrained(model, `${GOLDEN}/${folder}`, { isTrainable, onWarning });
  return { golden, folder, model, peft, warnings, expected: await readTensors(folder) };
}

function zeroGradients(model: PeftModel): void {
  for (const param of model.namedTrainable().values()) param.gradient().fill(0);
}

describe.each(cases("methods/lora"))("%s", (name) => {
  for (const build of ["baseline", "relaxed"] as const) {
    test(`logits, loss and gradients are PyTorch's (${build})`, async () => {
      const { golden, peft, expected } = await loadCase(name, true, build);
      const [batch] = golden.batches;
      expectClose("logits", peft.forward(batchOf(batch!)).data, expected.get("logits")!.values, 1e-4, 2e-4);
      zeroGradients(peft);
      expectClose("loss", [backward(peft, batch!)], expected.get("loss")!.values, 1e-5, 1e-5);
      const grads = Array.from(expected.keys())
        .filter((key) => key.startsWith("grad."))
        .map((key) => key.slice(5));
      const trained = peft.namedTrainable();
      for (const key of grads) {
        const want = expected.get(`grad.${key}`)!.values;
        const size = want.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        expectClose(`grad of ${key}`, trained.get(key)!.gradient(), want, 2e-4 * size + 1e-7, 2e-4);
      }
      expect(grads.length).toBeGreaterThan(0);
    });
  }

  test("four AdamW steps end where PyTorch's end", async () => {
    const { golden, peft, expected } = await loadCase(name, true);
    const trained = peft.namedTrainable();
    const start = new Map(Array.from(trained, ([key, param]) => [key, param.values().slice()]));
    const [beta1, beta2] = golden.betas;
    const optimizer = new AdamW(peft.engine, trained, {
      beta1,
      beta2,
      eps: golden.eps,
      weightDecay: golden.weight_decay,
    });
    const losses = golden.batches.map((batch) => {
      optimizer.zeroGrad();
      const loss = backward(peft, batch);
      optimizer.step(golden.lr, clipScale(gradientNorm(peft.engine, trained.values()), golden.max_grad_norm));
      return loss;
    });
    expectClose("losses", losses, expected.get("losses")!.values, 1e-4, 1e-4);
    for (const [key, param] of trained) {
      const after = expected.get(`after.${key}`)?.values;
      if (after === undefined || golden.unsettled.includes(key)) continue;
      const travelled = distance(after, start.get(key)!);
      expect(distance(param.values(), after), `${key}, which travelled ${travelled}`).toBeLessThanOrEqual(
        0.02 * travelled,
      );
    }
  });

  test("merging changes the weights that PEFT's merging changes, to the same values", async () => {
    const { model, peft, expected } = await loadCase(name, false);
    const merged = peft.mergeAndUnload({ safeMerge: true });
    expect(merged).toBe(model);
    const weights = merged.namedWeights();
    const keys = Array.from(expected.keys()).filter((key) => key.startsWith("merged."));
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) {
      const { values } = expected.get(key)!;
      const weight = weights.get(key.slice(7)) ?? model.modules.get(key.slice(7).replace(/\.weight$/, ""))!.weight;
      expectClose(key, readElements(model.engine.memory, weight), values, 1e-5, 1e-5);
    }
  });

  test("saving what was loaded gives PEFT's bytes", async () => {
    const { peft, folder, golden } = await loadCase(name, false);
    const files = new Map<string, Uint8Array>();
    await peft.savePretrained(files);
    const theirs = readFileSync(`${GOLDEN}/${folder}/adapter_model.safetensors`);
    expect(Buffer.from(files.get("adapter_model.safetensors")!).equals(theirs)).toBe(true);
    expect(sortLists(new TextDecoder().decode(files.get("adapter_config.json")!))).toBe(
      sortLists(readFileSync(`${GOLDEN}/${folder}/adapter_config.json`, "utf8")),
    );
    expect(golden.options).toBeDefined();
  });

  test("loading warns of nothing", async () => {
    const { warnings, golden } = await loadCase(name, false);
    const tied = golden.model === "qwen2" || golden.model === "gpt2" || golden.model === "qwen3";
    expect(warnings.filter((w) => !(tied && w.includes("tied")))).toEqual([]);
  });
});

/** PEFT writes sets in no order: the text with the lines of each list sorted. */
function sortLists(text: string): string {
  return text.replace(
    /\[\n([^\]]*)\n {2}\]/g,
    (_, lines: string) => `[\n${lines.split(",\n").sort().join(",\n")}\n  ]`,
  );
}
