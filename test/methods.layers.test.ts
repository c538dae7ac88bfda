/** IA3, LN tuning, BitFit, trainable tokens and AdaLoRA beyond what all methods have in common (test/methods.test.ts). */
import { describe, expect, test } from "vitest";
import { configFromJson } from "../src/adapt/files/load.ts";
import { getPeftModel, PeftModel } from "../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../src/auto/auto-classes.ts";
import { modelFromConfig } from "../src/auto/auto-model.ts";
import { FormatError, UnsupportedError } from "../src/core/errors.ts";
import { Philox } from "../src/core/philox.ts";
import { adalora } from "../src/methods/adalora.ts";
import { bitfit } from "../src/methods/bitfit.ts";
import { ia3 } from "../src/methods/ia3.ts";
import { lnTuning } from "../src/methods/ln_tuning.ts";
import { lora } from "../src/methods/lora.ts";
import { trainableTokens } from "../src/methods/trainable_tokens.ts";
import { concatenateLabelled } from "../src/nn/pass/sequences.ts";
import type { CausalLM } from "../src/nn/tasks/causal-lm.ts";
import { memoryRun } from "../src/train/run-in-memory.ts";
import { Trainer } from "../src/train/trainer.ts";
import { createEngine } from "../src/wasm/engine.ts";
import { expectClose } from "./golden-files.ts";
import { examples, tinyConfig, tinyLlama, valuesOf } from "./train/tiny.ts";

const batch = concatenateLabelled(examples(3));
const quiet = { onWarning: () => {} };

function scramble(peft: PeftModel): void {
  const random = new Philox(3);
  for (const param of peft.namedTrainable().values())
    param.values().set(param.values().map((x) => x + 0.2 * random.normal()));
}

async function untied(): Promise<CausalLM> {
  const engine = await createEngine({ build: "baseline" });
  return AutoModelForCausalLM.fromConfig({ ...tinyConfig, tie_word_embeddings: false }, { engine, seed: 1 });
}

describe("counts are those of the formula", () => {
  // Llama with 2 layers, width 16, feed-forward 24, vocabulary 32, 2 of 4 heads for keys and values.
  const cases = [
    ["IA3", ia3(), 2 * (8 + 8 + 24)],
    ["LN tuning", lnTuning(), 2 * (16 + 16) + 16],
    ["trainable tokens", trainableTokens({ tokenIndices: [5, 9, 30] }), 3 * 16],
    ["AdaLoRA", adalora({ initR: 4, totalStep: 10 }), 2 * (4 * (16 + 16 + 1) + 4 * (16 + 8 + 1))],
  ] as const;
  test.each(cases)("%s", async (_, config, count) => {
    expect(getPeftModel(await tinyLlama(), config).getNbTrainableParameters().trainable).toBe(count);
  });
});

describe("one batch, several adapters", () => {
  test.each([
    ["IA3", ia3()],
    ["AdaLoRA", adalora({ initR: 3, totalStep: 9, initLoraWeights: false, loraAlpha: 1 })],
  ])("%s acts on its own sequences, and on no others", async (_, config) => {
    const base = await tinyLlama();
    const plain = base.forward(batch);
    const peft = getPeftModel(base, config);
    scramble(peft);
    const adapted = peft.forward(batch);
    const row = (s: number) => batch.starts[s]! * base.vocabSize;
    const mixed = peft.forward(batch, { adapterNames: ["__base__", "default", "__base__"] });
    expectClose("base", mixed.subarray(0, row(1)), plain.subarray(0, row(1)), 1e-5, 1e-5);
    expectClose("adapted", mixed.subarray(row(1), row(2)), adapted.subarray(row(1), row(2)), 1e-5, 1e-5);
    expectClose("base again", mixed.subarray(row(2)), plain.subarray(row(2)), 1e-5, 1e-5);
  });
});

describe("IA3", () => {
  test("two active adapters multiply", async () => {
    const peft = getPeftModel(await tinyLlama(), ia3());
    peft.addAdapter("second", ia3());
    peft.setAdapter(["default", "second"]);
    peft.setTrainable(["default", "second"], true);
    for (const [key, param] of peft.namedTrainable()) param.values().fill(key.startsWith("second/") ? 0.5 : 3);
    const both = peft.forward(batch);
    peft.setAdapter("default");
    for (const param of peft.namedTrainable().values()) param.values().fill(1.5);
    expectClose("logits", both, peft.forward(batch), 1e-5, 1e-5);
  });

  test("feed-forward layers that are no targets are told", () => {
    const given = { targetModules: ["k_proj"], feedforwardModules: ["k_proj", "down_proj"] };
    expect(() => ia3(given)).toThrow('"feedforwardModules" should be some of "targetModules", found ["down_proj"]');
  });

  test("a model that PEFT has no table for wants them named", async () => {
    const config = { model_type: "distilbert", dim: 16, n_layers: 1, n_heads: 2, hidden_dim: 24, vocab_size: 32 };
    const model = await modelFromConfig(config, "FEATURE_EXTRACTION", { engine: await createEngine() });
    expect(() => getPeftModel(model, ia3())).toThrow(/no default targetModules of IA3 for "distilbert"/);
    expect(() => getPeftModel(model, ia3({ targetModules: ["q_lin"] }))).toThrow(/no default feedforwardModules/);
    getPeftModel(model, ia3({ targetModules: ["q_lin"], feedforwardModules: [] }));
  });
});

describe("LN tuning", () => {
  test("a copy that is not a number is not merged with safeMerge", async () => {
    const peft = getPeftModel(await tinyLlama(), lnTuning());
    const [param] = peft.namedTrainable().values();
    param!.values()[3] = Number.NaN;
    expect(() => peft.mergeAndUnload({ safeMerge: true })).toThrow(FormatError);
    expect(peft.activeAdapters).toEqual(["default"]);
  });
});

describe("BitFit", () => {
  test("a model without biases is refused", async () => {
    const base = await tinyLlama();
    expect(() => getPeftModel(base, bitfit())).toThrow(UnsupportedError);
  });
});

describe("trainable tokens", () => {
  test("the output projection follows where it is the same table, and stays where it is not", async () => {
    for (const base of [await tinyLlama(), await untied()]) {
      const before = base.forward(batch);
      const unused = Array.from({ length: 32 }, (_, id) => id).find((id) => !batch.ids.includes(id))!;
      const peft = getPeftModel(base, trainableTokens({ tokenIndices: [unused] }));
      const [rows] = peft.namedTrainable().values();
      rows!.values().fill(2);
      const changed = peft.forward(batch).map((x, i) => Number(x !== before[i]));
      const columns = new Set([...changed].flatMap((each, i) => (each ? [i % 32] : [])));
      expect([...columns]).toEqual(base.config.tie_word_embeddings ? [unused] : []);
    }
  });

  test("rows are kept as they are when the base's own are others", async () => {
    const peft = getPeftModel(await tinyLlama(), trainableTokens({ tokenIndices: [3, 1] }));
    scramble(peft);
    const files = new Map<string, Uint8Array>();
    await peft.savePretrained(files);
    const other = await tinyLlama();
    const table = other.modules.get("model.embed_tokens")!.weight;
    other.engine.memory
      .f32(table.ptr, 32 * 16)
      .subarray(16, 32)
      .fill(7); // row 1
    const again = await PeftModel.fromPretrained(other, files);
    expect(again.forward(batch)).toEqual(peft.forward(batch));
  });

  test.each([
    ["DoRA", { useDora: true, targetModules: ["q_proj", "down_proj"] }],
    ["LoRA with trained tokens", { targetModules: ["q_proj"], trainableTokenIndices: [3, 9] }],
  ])("%s becomes a plain LoRA of full rank that says the same", async (_, options) => {
    const peft = getPeftModel(await untied(), lora({ r: 2, ...options }));
    scramble(peft);
    const before = peft.forward(batch);
    await peft.convertToLora("default", "plain", { rank: 24 });
    peft.setAdapter("plain");
    expectClose("logits", peft.forward(batch), before, 1e-4, 1e-4);
  });

  test("ids that are missing, twice or not in the vocabulary are told", async () => {
    expect(() => trainableTokens()).toThrow('"tokenIndices" is missing');
    expect(() => trainableTokens({ tokenIndices: [4, 4] })).toThrow("a list of different token ids");
    const base = await tinyLlama();
    expect(() => getPeftModel(base, trainableTokens({ tokenIndices: [4, 32] }))).toThrow(/token ids 32 are not in/);
    const chosen = lora({ trainableTokenIndices: { wte: [4] } });
    expect(() => getPeftModel(base, chosen)).toThrow('no embedding ends in "wte", the model has "model.embed_tokens"');
  });
});

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
      output: run,
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
    expectClose("logits", saved.forward(batch), model.forward(batch), 1e-5, 1e-5);
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
    await new Trainer({ model: again, args: more, trainDataset: examples(20), output: memoryRun() }).train();
    const files = new Map<string, Uint8Array>();
    await again.savePretrained(files);
    const reloaded = await PeftModel.fromPretrained(await tinyLlama(), files);
    expectClose("logits", reloaded.forward(batch), again.forward(batch), 1e-5, 1e-5);
    const pattern = JSON.parse(new TextDecoder().decode(files.get("adapter_config.json")!)).rank_pattern;
    for (const kept of Object.values<boolean[]>(pattern)) expect(kept).toHaveLength(4);
    expect(Object.values<boolean[]>(pattern).flat().filter(Boolean)).toHaveLength(4);
  });

  test("a plain LoRA of it says the same", async () => {
    const model = await train();
    const before = model.forward(batch);
    await model.convertToLora("default", "plain");
    model.setAdapter("plain");
    expectClose("logits", model.forward(batch), before, 1e-5, 1e-5);
  });

  test("a schedule that cannot be is told", async () => {
    expect(() => adalora({})).toThrow('"totalStep" is missing');
    expect(() => adalora({ totalStep: 10, tinit: 6, tfinal: 4 })).toThrow(
      '"tinit" 6 should be less than "totalStep" 10',
    );
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
      /rankPattern of .* tells of 1 ranks, expected 12/,
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
