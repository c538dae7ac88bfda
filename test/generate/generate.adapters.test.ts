/** Several texts at once on one model, and changes to the model while a text is written. */
import { expect, test } from "vitest";
import { getPeftModel, type PeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { generate } from "../../src/generate/load-generate.ts";
import { lora } from "../../src/methods/lora.ts";
import { promptTuning } from "../../src/methods/prompt_tuning.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import { AdamW } from "../../src/optim/adamw.ts";
import { tinyConfigs } from "../models/tiny.ts";

const [llama] = Object.values(tinyConfigs.llama!) as [RawConfig];
const prompt = [3, 5, 2, 6];
const options = { maxNewTokens: 12, temperature: 0, eosTokenId: null };

/** A model with two LoRA adapters and a prompt, each of which changes what is written. */
async function adapted(): Promise<PeftModel> {
  const base = await AutoModelForCausalLM.fromConfig(llama, { seed: 5 });
  const model = getPeftModel(base, lora({ r: 4, loraAlpha: 40, initLoraWeights: false }), {
    adapterName: "a",
    seed: 1,
  });
  model.addAdapter("b", lora({ r: 2, loraAlpha: 40, initLoraWeights: false, seed: 7 }));
  model.addAdapter("p", promptTuning({ numVirtualTokens: 3 }));
  return model as unknown as PeftModel;
}

/** What each adapter writes alone. */
async function alone(model: PeftModel): Promise<Record<string, number[]>> {
  const made: Record<string, number[]> = {};
  for (const name of ["a", "b", "p"]) {
    model.setAdapter(name);
    made[name] = await generate(model, prompt, options);
  }
  made.none = await model.disableAdapter(() => generate(model.base, prompt, options));
  return made;
}

test("texts at once through setAdapter and generate do not mix", async () => {
  const model = await adapted();
  using base = model.base;
  const want = await alone(model);
  expect(new Set(Object.values(want).map(String)).size).toBeGreaterThan(2);
  const names = ["a", "b", "p", "b", "a"];
  const made = names.map((name) => {
    model.setAdapter(name);
    return generate(model, prompt, options);
  });
  expect(await Promise.all(made)).toEqual(names.map((name) => want[name]));
  expect(model.activeAdapters).toEqual(["a"]);
  expect(base.virtual).toBeNull();
});

test("adapterNames chooses the adapter of a text, and __base__ none, whatever is active", async () => {
  const model = await adapted();
  using _base = model.base;
  const want = await alone(model);
  model.setAdapter("b");
  const names = ["a", "__base__", "p", "b"];
  const made = names.map((name) => generate(model, prompt, { ...options, adapterNames: [name] }));
  expect(await Promise.all(made)).toEqual(["a", "none", "p", "b"].map((name) => want[name]));
  const beams = await generate(model, prompt, { ...options, temperature: undefined, numBeams: 2, adapterNames: ["a"] });
  model.setAdapter("a");
  expect(beams).toEqual(await generate(model, prompt, { ...options, temperature: undefined, numBeams: 2 }));
  await expect(generate(model, prompt, { adapterNames: ["c"] })).rejects.toThrow('there is no adapter "c"');
});

test.each<[string, (model: PeftModel) => void, string]>([
  [
    "deleting the adapter",
    (model) => model.deleteAdapter("a"),
    '"a" was deleted or replaced while the model was generating',
  ],
  ["merging", (model) => model.mergeAdapter(), "adapters were merged or unmerged"],
  ["disposing of the model", (model) => model.base.dispose(), "the model was disposed of"],
  ["taking the adapters off", (model) => model.dispose(), '"a" was deleted or replaced while the model was generating'],
  [
    "an optimizer's step",
    (model) => {
      using optimizer = new AdamW(model.engine, model.namedTrainable());
      optimizer.step(1e-3);
    },
    '"a" were trained while the model was generating',
  ],
  [
    "loading a state",
    (model) => model.loadAdapterState("a", model.adapterState("a")),
    '"a" were trained while the model was generating',
  ],
])("%s while a text is written ends it with an error", async (_, change, message) => {
  const model = await adapted();
  using base = model.base;
  let count = 0;
  const onToken = () => void (++count === 3 && setImmediate(() => change(model)));
  const writing = generate(model, prompt, { ...options, maxNewTokens: 25, onToken });
  await expect(writing).rejects.toThrow(message);
  expect(count).toBeLessThan(25);
  expect(base.vocabSize).toBe(53);
});

test("a text of the base itself ends when other adapters become active on it", async () => {
  const model = await adapted();
  using base = model.base;
  const writing = generate(base, prompt, { ...options, onToken: () => model.setAdapter("b") });
  await expect(writing).rejects.toThrow("other adapters became active on the model while it generated");
});

test("an optimizer's step on a model that is trained in full ends a text too", async () => {
  using model = await AutoModelForCausalLM.fromConfig(llama, { seed: 5 });
  using optimizer = new AdamW(model.engine, new Map(model.trainAll().map((param) => [param.name, param])));
  const writing = generate(model, prompt, { ...options, onToken: () => optimizer.step(1e-3) });
  await expect(writing).rejects.toThrow("the model was trained while it generated");
});
