import { describe, expect, test } from "vitest";
import { configFromJson } from "../../src/adapt/files/load.ts";
import { getPeftModel, PeftModel } from "../../src/adapt/peft-model.ts";
import { adalora } from "../../src/methods/adalora.ts";
import { memoryRun } from "../../src/train/run/run-in-memory.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { batch, quiet } from "../adapt/tiny-adapter.ts";
import { expectClose } from "../golden-files.ts";
import { examples, tinyLlama, valuesOf } from "../train/tiny.ts";

describe("AdaLoRA", () => {
  const options = { initR: 4, targetR: 1, totalStep: 8, tinit: 1, tfinal: 2, deltaT: 2, loraAlpha: 8 };
  const settings = { maxSteps: 8, perDeviceTrainBatchSize: 4, learningRate: 0.02, saveSteps: 1, maxGradNorm: 0.5 };

  async function train(run = memoryRun(), stopAfter = 0, resume = false): Promise<PeftModel> {
    const model = getPeftModel(await tinyLlama(), adalora(options), { ...quiet, seed: resume ? 77 : 4 });
    const stop = new AbortController();
    const onProgress = ({ step }: { step: number }) => void (step === stopAfter && stop.abort());
    const trainer = new Trainer({
      model,
      args: settings,
      trainDataset: examples(20),
      outputDir: run,
      signal: stop.signal,
      onProgress,
    });
    await trainer.train({ resume });
    return model;
  }
  const left = (model: PeftModel) =>
    Array.from(model.namedTrainable())
      .flatMap(([key, param]) => (key.endsWith("lora_E") ? [...param.values()] : []))
      .filter((x) => x !== 0).length;

  test("ends with the ranks it was told to, and saves only those", async () => {
    const run = memoryRun();
    const model = await train(run);
    expect(left(model)).toBe(4 * options.targetR);
    const saved = await PeftModel.fromPretrained(await tinyLlama(), run.source("adapter"), { isTrainable: true });
    const ranks = Array.from(saved.namedTrainable()).filter(([key]) => key.endsWith("lora_E"));
    expect(ranks.reduce((sum, [, { shape }]) => sum + shape[0]!, 0)).toBe(4);
    expectClose("logits", saved.forward(batch).data, model.forward(batch).data, 1e-5, 1e-5);
    expect(saved.getNbTrainableParameters().trainable).toBeLessThan(model.getNbTrainableParameters().trainable);
  });

  test.each([1, 3, 5, 7])(
    "stopping after step %i and resuming gives every bit of the run that never stopped",
    async (at) => {
      const straight = await train();
      const run = memoryRun();
      await train(run, at);
      const resumed = await train(run, 0, true);
      expect(valuesOf(resumed)).toEqual(valuesOf(straight));
      expect(resumed.namedState()).toEqual(straight.namedState());
    },
  );

  test("what is pruned stays pruned when a saved adapter is trained on", async () => {
    const run = memoryRun();
    await train(run);
    const again = await PeftModel.fromPretrained(await tinyLlama(), run.source("adapter"), { isTrainable: true });
    const more = { ...settings, maxSteps: 3 };
    await new Trainer({ model: again, args: more, trainDataset: examples(20), outputDir: memoryRun() }).train();
    const files = new Map<string, Uint8Array>();
    await again.savePretrained(files);
    const reloaded = await PeftModel.fromPretrained(await tinyLlama(), files);
    expectClose("logits", reloaded.forward(batch).data, again.forward(batch).data, 1e-5, 1e-5);
    const pattern = JSON.parse(new TextDecoder().decode(files.get("adapter_config.json")!)).rank_pattern;
    for (const kept of Object.values<boolean[]>(pattern)) expect(kept).toHaveLength(4);
    expect(Object.values<boolean[]>(pattern).flat().filter(Boolean)).toHaveLength(4);
  });

  test("a plain LoRA of it says the same", async () => {
    const model = await train();
    const before = model.forward(batch).data;
    await model.convertToLora("default", "plain");
    model.setAdapter("plain");
    expectClose("logits", model.forward(batch).data, before, 1e-5, 1e-5);
  });

  test("a schedule that cannot be is told", async () => {
    expect(() => adalora({})).toThrow('"totalStep" is missing');
    expect(() => adalora({ totalStep: 10, tinit: 6, tfinal: 4 })).toThrow('"tinit" 6 must be less than "totalStep" 10');
    const json = {
      peft_type: "ADALORA",
      total_step: 10,
      rank_pattern: { "model.layers.0.self_attn.q_proj.lora_E": [true] },
    };
    const config = await configFromJson(json);
    expect(config.values).toMatchObject({ deltaT: 1, initR: 12 });
    const files = new Map<string, Uint8Array>([
      ["adapter_config.json", new TextEncoder().encode(JSON.stringify(json))],
    ]);
    const run = memoryRun();
    const model = await train(run);
    const own = new Map<string, Uint8Array>();
    await model.savePretrained(own);
    files.set("adapter_model.safetensors", own.get("adapter_model.safetensors")!);
    await expect(PeftModel.fromPretrained(await tinyLlama(), files, quiet)).rejects.toThrow(
      /rankPattern of .* lists 1 ranks, expected 12/,
    );
  });

  test("the orthogonal term counts in training, and in nothing else", async () => {
    const weighs = async (orthRegWeight: number) => {
      const model = getPeftModel(await tinyLlama(), adalora({ ...options, orthRegWeight }), { seed: 2 });
      const losses: number[] = [];
      const onProgress = ({ loss }: { loss: number }) => void losses.push(loss);
      const one = { ...settings, maxSteps: 1, perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 3 };
      const data = examples(6);
      const trainer = new Trainer({ model, args: one, trainDataset: data, evalDataset: data, onProgress });
      const { loss: evaluated } = await trainer.evaluate();
      await trainer.train();
      return { trained: losses[0]!, evaluated };
    };
    const [without, half, whole] = [await weighs(0), await weighs(0.5), await weighs(1)];
    // A of rank 4 starts near zero, so ‖A·Aᵀ − I‖ is just below √4.
    expect(whole.trained - without.trained).toBeGreaterThan(1.95);
    expect(whole.trained - without.trained).toBeLessThan(2);
    expectClose("half", [half.trained - without.trained], [(whole.trained - without.trained) / 2], 1e-5, 0);
    expect(whole.evaluated).toBe(without.evaluated);
    expectClose("unpenalised", [without.trained], [without.evaluated], 1e-5, 0);
  });
});
