/** Several prompts at once: each text is what its prompt alone gives. */
import { expect, test } from "vitest";
import { getPeftModel, type PeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from "../../src/auto/auto-classes.ts";
import { generate } from "../../src/generate/load-generate.ts";
import { ia3 } from "../../src/methods/ia3.ts";
import { lora } from "../../src/methods/lora.ts";
import { promptTuning } from "../../src/methods/prompt_tuning.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import { tinyConfigs, tinyEncoderDecoders } from "../models/tiny.ts";

const [llama] = Object.values(tinyConfigs.llama!) as [RawConfig];
const [mt5] = Object.values(tinyEncoderDecoders.mt5!) as [RawConfig];
const prompts = [[3, 5, 2, 6], [9], [4, 4, 8, 1, 7, 12, 20], [30, 2]];
const longer = [...prompts, [17, 3, 3], [40, 41, 42, 43, 44], [6, 6]];

const writers = [
  {
    name: "llama",
    open: (more: RawConfig = {}) => AutoModelForCausalLM.fromConfig({ ...llama, ...more }, { seed: 5 }),
  },
  { name: "mt5", open: (more: RawConfig = {}) => AutoModelForSeq2SeqLM.fromConfig({ ...mt5, ...more }, { seed: 5 }) },
];

/** An end token that some of the texts have early, some late, some not at all. */
async function endOf(texts: readonly (readonly number[])[]): Promise<number> {
  const counts = new Map<number, number>();
  for (const text of texts) for (const id of new Set(text)) counts.set(id, (counts.get(id) ?? 0) + 1);
  const [id] = [...counts].find(([, count]) => count > 0 && count < texts.length)!;
  return id;
}

test.each(writers)("$name: greedy, by beams and drawn, with texts that end at different lengths", async ({ open }) => {
  using model = await open({ eos_token_id: null });
  const plain = await model.generate(longer, { maxNewTokens: 9, temperature: 0 });
  const eosTokenId = await endOf(plain);
  for (const options of [
    { maxNewTokens: 9, doSample: false },
    { maxNewTokens: 9, doSample: false, numBeams: 3 },
    { maxNewTokens: 9, temperature: 0.8, topK: 20, seed: 3 },
    { maxNewTokens: 5, temperature: 1.5, numBeams: 2, seed: 4 },
  ]) {
    const alone: number[][] = [];
    for (const prompt of longer) alone.push(await generate(model, prompt, { ...options, eosTokenId }));
    expect(new Set(alone.map(({ length }) => length)).size).toBeGreaterThan(options.numBeams === 2 ? 0 : 1);
    expect(await generate(model, longer, { ...options, eosTokenId })).toEqual(alone);
  }
});

test("numReturnSequences draws with seed, seed + 1 and so on, for each prompt", async () => {
  using model = await writers[0]!.open();
  const options = { maxNewTokens: 6, temperature: 1.2, eosTokenId: null };
  const want: number[][] = [];
  for (const prompt of prompts)
    for (const seed of [7, 8, 9]) want.push(await model.generate(prompt, { ...options, seed }));
  const seen: number[][] = want.map(() => []);
  const onToken = (id: number, text: number) => void seen[text]!.push(id);
  const got = await model.generate(prompts, { ...options, seed: 7, numReturnSequences: 3, onToken });
  expect(got).toEqual(want);
  expect(seen).toEqual(want);
  expect(new Set(want.map(String)).size).toBe(want.length);
});

async function adapted(): Promise<PeftModel> {
  const base = await AutoModelForCausalLM.fromConfig(llama, { seed: 5 });
  const strong = { loraAlpha: 40, initLoraWeights: false } as const;
  const model = getPeftModel(base, lora({ r: 4, ...strong }), { adapterName: "a", seed: 1 });
  model.addAdapter("b", lora({ r: 2, ...strong, seed: 7 }));
  model.addAdapter("p", promptTuning({ numVirtualTokens: 3 }));
  model.addAdapter("i", ia3({ initIa3Weights: false }));
  model.addAdapter("d", lora({ r: 2, useDora: true, ...strong, seed: 9 }));
  return model as unknown as PeftModel;
}

test("adapterNames gives each prompt its own adapter, in one batch, whatever is active", async () => {
  const model = await adapted();
  using _base = model.base;
  const adapterNames = ["a", "__base__", "p", "b", "a", "i", "p"];
  const options = { maxNewTokens: 8, temperature: 0, eosTokenId: null };
  const alone: number[][] = [];
  for (const [i, prompt] of longer.entries())
    alone.push(await model.generate(prompt, { ...options, adapterNames: [adapterNames[i]!] }));
  model.setAdapter("b");
  expect(await model.generate(longer, { ...options, adapterNames })).toEqual(alone);
  expect(model.activeAdapters).toEqual(["b"]);
  const beams = { ...options, temperature: undefined, doSample: false, numBeams: 2 };
  const searched: number[][] = [];
  for (const [i, prompt] of longer.entries())
    searched.push(await model.generate(prompt, { ...beams, adapterNames: [adapterNames[i]!] }));
  expect(await model.generate(longer, { ...beams, adapterNames })).toEqual(searched);
});

test("a method that cannot act on rows is refused before anything is written, and works alone", async () => {
  const model = await adapted();
  using _base = model.base;
  const onToken = () => expect.unreachable();
  const mixed = { maxNewTokens: 3, adapterNames: ["a", "d"], onToken };
  await expect(model.generate(prompts.slice(0, 2), mixed)).rejects.toThrow('adapter "d" (lora) cannot be combined');
  const same = { maxNewTokens: 3, temperature: 0, adapterNames: ["d", "d"] };
  expect(await model.generate(prompts.slice(0, 2), same)).toHaveLength(2);
});

test("an adapter that is trained while a mixed batch is written ends it", async () => {
  const model = await adapted();
  using _base = model.base;
  let count = 0;
  const onToken = () => void (++count === 4 && model.loadAdapterState("b", model.adapterState("b")));
  const options = { maxNewTokens: 20, adapterNames: ["a", "b"], onToken, eosTokenId: null };
  await expect(model.generate(prompts.slice(0, 2), options)).rejects.toThrow(
    "were trained while the model was generating",
  );
});

test("texts beyond the length up to which rotations stay the same are written one after the other", async () => {
  const rope = { rope_scaling: { rope_type: "dynamic", factor: 2 }, max_position_embeddings: 8 };
  using model = await AutoModelForCausalLM.fromConfig({ ...llama, ...rope }, { seed: 5 });
  expect(model.steadyLength).toBe(8);
  const options = { maxNewTokens: 7, temperature: 0, eosTokenId: null };
  const alone: number[][] = [];
  for (const prompt of prompts) alone.push(await model.generate(prompt, options));
  expect(await model.generate(prompts, options)).toEqual(alone);
});

test("a prompt that fills the context gives an empty text, and everything taken is given back", async () => {
  using model = await writers[0]!.open();
  const full = Array.from({ length: model.contextLength }, () => 5);
  const options = { maxNewTokens: 4, temperature: 0, eosTokenId: null };
  const [first, none] = await model.generate([[3, 5], full], options);
  expect(first).toHaveLength(4);
  expect(none).toEqual([]);
  await model.generate([full.slice(4)], options); // the table of rotations grows once
  const before = model.engine.memory.usedBytes;
  await model.generate(prompts, { ...options, numBeams: 2, temperature: undefined, doSample: false });
  await expect(
    model.generate(prompts, {
      ...options,
      onToken: () => {
        throw new Error("mine");
      },
    }),
  ).rejects.toThrow("mine");
  expect(model.engine.memory.usedBytes).toBe(before);
});
