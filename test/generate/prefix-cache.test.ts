import { afterAll, beforeAll, expect, test } from "vitest";
import { getPeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM, AutoModelForSeq2SeqLM } from "../../src/auto/auto-classes.ts";
import type { GenerateOptions, GenerationModel } from "../../src/generate/generate-options.ts";
import { generate } from "../../src/generate/load-generate.ts";
import { PrefixCache } from "../../src/generate/prefix-cache.ts";
import { lora } from "../../src/methods/lora.ts";
import { promptTuning } from "../../src/methods/prompt_tuning.ts";
import type { RawConfig } from "../../src/nn/config.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { tinyConfigs, tinyEncoderDecoders } from "../models/tiny.ts";

const [llama] = Object.values(tinyConfigs.llama!) as [RawConfig];
const options = { maxNewTokens: 6, temperature: 0, eosTokenId: null } as const;
let base: CausalLM;
beforeAll(async () => {
  base = await AutoModelForCausalLM.fromConfig({ ...llama, max_position_embeddings: 256 }, { seed: 5 });
});
afterAll(() => base.dispose());

const ids = (count: number, step: number) => Array.from({ length: count }, (_, i) => 3 + ((i * step) % 40));

/** What is written, with every bit of the logits. */
async function written(model: GenerationModel, prompt: readonly number[], more: GenerateOptions = {}) {
  const bits: number[] = [];
  const keep = (_: readonly number[], scores: Float32Array) => {
    bits.push(...new Int32Array(scores.slice().buffer));
  };
  return { made: await generate(model, prompt, { ...options, ...more, logitsProcessor: [keep] }), bits };
}

/** A chat of some turns: each prompt has the one before, what was written, and more. */
async function chat(model: GenerationModel, prefixCache: PrefixCache): Promise<number[]> {
  const reused: number[] = [];
  let prompt = ids(23, 7);
  for (const more of [9, 1, 30, 4]) {
    const got = await written(model, prompt, { prefixCache });
    expect(got).toEqual(await written(model, prompt));
    reused.push(prefixCache.reusedTokens);
    prompt = [...prompt, ...got.made, ...ids(more, 11)];
  }
  return reused;
}

test("the turns of a chat are read once, and what is written has the same bits as without", async () => {
  using cache = new PrefixCache();
  expect(await chat(base, cache)).toEqual([0, 23, 38, 45]);
});

test("the same with LoRA and with virtual tokens; other adapters, training and other models begin anew", async () => {
  using own = await AutoModelForCausalLM.fromConfig({ ...llama, max_position_embeddings: 256 }, { seed: 6 });
  const model = getPeftModel(own, lora({ r: 4, loraAlpha: 40, initLoraWeights: false }), { adapterName: "a" });
  model.addAdapter("p", promptTuning({ numVirtualTokens: 3 }));
  using cache = new PrefixCache();
  expect(await chat(model, cache)).toEqual([0, 23, 38, 45]);
  model.setAdapter("p");
  expect(await chat(model, cache)).toEqual([0, 23, 38, 45]);

  const prompt = ids(20, 3);
  const reads = async (more: GenerateOptions = {}, of: GenerationModel = model) => {
    expect(await written(of, prompt, { ...more, prefixCache: cache })).toEqual(await written(of, prompt, more));
    return cache.reusedTokens > 1; // all begin with the same token
  };
  expect([await reads(), await reads()]).toEqual([false, true]);
  model.setAdapter("a");
  expect([await reads(), await reads()]).toEqual([false, true]);
  expect([await reads({ adapterNames: ["__base__"] }), await reads({ adapterNames: ["a"] })]).toEqual([false, false]);
  model.loadAdapterState("a", model.adapterState("a"));
  expect([await reads({ adapterNames: ["a"] }), await reads({ adapterNames: ["a"] })]).toEqual([false, true]);
  model.mergeAdapter();
  expect([await reads(), await reads()]).toEqual([false, true]);
  model.unmergeAdapter();
  expect([await reads({}, base), await reads({}, base)]).toEqual([false, true]);
});

test("prompts of a batch share what they begin with, and so do beams", async () => {
  using cache = new PrefixCache();
  const shared = ids(30, 5);
  const prompts = [9, 8, 7].map((step) => [...shared, ...ids(7, step)]);
  const beams = { maxNewTokens: 5, numBeams: 2, doSample: false, eosTokenId: null } as const;
  for (const more of [options, beams])
    expect(await generate(base, prompts, { ...more, prefixCache: cache })).toEqual(await generate(base, prompts, more));
  expect(cache.reusedTokens).toBeGreaterThanOrEqual(30);
  expect(cache.length).toBe(37);
});

test("holds one prompt, and gives its memory back", async () => {
  await written(base, ids(110, 3)); // the table of rotations grows once
  const before = base.engine.memory.usedBytes;
  const cache = new PrefixCache();
  await written(base, ids(100, 3), { prefixCache: cache });
  const large = base.engine.memory.usedBytes;
  for (const step of [5, 7, 9]) await written(base, ids(40, step), { prefixCache: cache });
  expect(base.engine.memory.usedBytes).toBeLessThan(large);
  cache.clear();
  expect([base.engine.memory.usedBytes, cache.length]).toEqual([before, 0]);
  await written(base, ids(40, 3), { prefixCache: cache });
  cache.dispose();
  expect(base.engine.memory.usedBytes).toBe(before);
  await expect(written(base, ids(9, 3), { prefixCache: cache })).rejects.toThrow("the prefixCache is disposed of");
});

test("is refused for an encoder-decoder", async () => {
  const [mt5] = Object.values(tinyEncoderDecoders.mt5!) as [RawConfig];
  using model = await AutoModelForSeq2SeqLM.fromConfig(mt5);
  using prefixCache = new PrefixCache();
  await expect(model.generate([3, 5], { prefixCache })).rejects.toThrow(
    '"prefixCache" keeps what a decoder-only model reads',
  );
});
