/** Adapters made of others, and batches of several. */
import { describe, expect, test } from "vitest";
import { COMBINATIONS } from "../../../src/adapt/derive/combine.ts";
import { getPeftModel, PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../../src/auto/auto-classes.ts";
import { Philox } from "../../../src/core/philox.ts";
import { lora } from "../../../src/methods/lora.ts";
import { concatenate } from "../../../src/nn/pass/sequences.ts";
import type { CausalLM } from "../../../src/nn/tasks/causal-lm.ts";
import { createEngine } from "../../../src/wasm/engine.ts";

const config = {
  model_type: "llama",
  vocab_size: 50,
  hidden_size: 24,
  intermediate_size: 36,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 32,
  initializer_range: 0.25,
};
const sequences = [
  [3, 9, 27, 31],
  [11, 21],
  [5, 6, 7, 8, 9],
];
const batch = concatenate(sequences);
const silent = { onWarning: () => {} };

async function base(): Promise<CausalLM> {
  return AutoModelForCausalLM.fromConfig(config, { engine: await createEngine({ build: "baseline" }), seed: 1 });
}

function scramble(model: PeftModel, name: string, seed: number): void {
  const random = new Philox(seed);
  const state = model.adapterState(name);
  model.loadAdapterState(
    name,
    new Map(Array.from(state, ([key, values]) => [key, values.map(() => 0.3 * random.normal())])),
  );
}

/** A model with adapters a and b of different scales, and c of another rank. */
async function three(): Promise<PeftModel<CausalLM>> {
  const model = getPeftModel(await base(), lora({ r: 3, loraAlpha: 7 }), { ...silent, adapterName: "a" });
  model.addAdapter("b", lora({ r: 3, loraAlpha: 4, useRslora: true, targetModules: ["q_proj", "down_proj"] }));
  model.addAdapter("c", lora({ r: 2, loraAlpha: 5, targetModules: ["q_proj", "embed_tokens"] }));
  for (const [i, name] of ["a", "b", "c"].entries()) scramble(model, name, i + 1);
  return model;
}

function furthest(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
}

function with_(model: PeftModel, ...names: string[]): Float32Array {
  model.setAdapter(names);
  return model.forward(batch);
}

describe("weighted adapters", () => {
  test.each(COMBINATIONS)("one adapter at weight 1 gives itself: %s", async (combination) => {
    const model = await three();
    for (const name of ["a", "b", "c"]) {
      model.addWeightedAdapter([name], [1], `${name}2`, { combination, density: 0.5 });
      expect(furthest(with_(model, `${name}2`), with_(model, name))).toBeLessThan(2e-5);
    }
  });

  test.each(["cat", "svd"] as const)(
    "%s of several is their sum, whatever their ranks, scales and layers",
    async (combination) => {
      const model = await three();
      model.addWeightedAdapter(["a", "b", "c"], [1, 1, 1], "all", { combination, rank: 8 });
      expect(furthest(with_(model, "all"), with_(model, "a", "b", "c"))).toBeLessThan(1e-3);
      expect(furthest(with_(model, "all"), with_(model, "a"))).toBeGreaterThan(1e-2);
    },
  );

  test("what is made saves and loads like any other", async () => {
    const model = await three();
    model.addWeightedAdapter(["a", "c"], [0.5, -0.25], "default", { combination: "cat" });
    const files = new Map<string, Uint8Array>();
    await model.savePretrained(files, { selectedAdapters: ["default"] });
    const again = await PeftModel.fromPretrained(await base(), files, silent);
    expect(again.forward(batch)).toEqual(with_(model, "default"));
  });

  test("unequal counts, unknown names and names in use are errors", async () => {
    const model = await three();
    expect(() => model.addWeightedAdapter(["a"], [1, 2], "x")).toThrow("2 weights for 1 adapters");
    expect(() => model.addWeightedAdapter(["z"], [1], "x")).toThrow('there is no adapter "z"');
    expect(() => model.addWeightedAdapter(["a"], [1], "b")).toThrow('there is an adapter "b" already');
  });
});

test("a LoRA that took its start out of the base becomes a plain one with the same output", async () => {
  for (const initLoraWeights of ["pissa", "olora"]) {
    const model = getPeftModel(await base(), lora({ r: 3, loraAlpha: 7, initLoraWeights }), silent);
    const random = new Philox(4);
    for (const param of model.namedTrainable().values())
      param.values().set(param.values().map((x) => x + 0.2 * random.normal()));
    const want = model.forward(batch);
    await model.convertToLora("default", "plain");
    expect(furthest(with_(model, "plain"), want)).toBeLessThan(1e-4);
    expect(model.peftConfig.get("plain")!.values).toMatchObject({ r: 6, initLoraWeights: true });
  }
});

test("a rank below an adapter's own keeps the best part of it", async () => {
  const model = await three();
  await model.convertToLora("a", "whole", { energy: 1 });
  await model.convertToLora("a", "small", { rank: 1 });
  const [want, whole, small] = [with_(model, "a"), with_(model, "whole"), with_(model, "small")];
  expect(furthest(whole, want)).toBeLessThan(1e-4);
  expect(furthest(small, want)).toBeGreaterThan(1e-3);
});

test("swapping in another folder keeps name and place; a folder that does not fit changes nothing", async () => {
  const other = await three();
  const files = new Map<string, Uint8Array>();
  other.addWeightedAdapter(["c"], [1], "default");
  await other.savePretrained(files, { selectedAdapters: ["default"] });
  const want = with_(other, "c");
  const model = await three();
  const before = with_(model, "a");
  await model.hotswapAdapter(files, "a");
  expect(model.activeAdapters).toEqual(["a"]);
  expect(furthest(model.forward(batch), want)).toBeLessThan(1e-5);
  expect(furthest(model.forward(batch), before)).toBeGreaterThan(1e-2);
  await expect(model.hotswapAdapter(new Map(), "a")).rejects.toThrow("adapter_config.json");
  expect(furthest(model.forward(batch), want)).toBeLessThan(1e-5);
});

describe("a batch of several adapters", () => {
  test("each sequence gets its own, or none, as if it ran by itself", async () => {
    const model = await three();
    model.deleteAdapter("c");
    const names = ["a", "__base__", "b"];
    const together = model.forward(batch, { adapterNames: names });
    const alone = sequences.flatMap((ids, s) => {
      const run = () => Array.from(model.forward(concatenate([ids])));
      if (names[s] === "__base__") return model.disableAdapter(run);
      model.setAdapter(names[s]!);
      return run();
    });
    expect(furthest(together, Float32Array.from(alone))).toBeLessThan(2e-5);
    expect(furthest(with_(model, "a"), together)).toBeGreaterThan(1e-2);
  });

  test("unknown names and methods that cannot be routed are errors, and leave the model as it was", async () => {
    const model = await three();
    const before = with_(model, "a");
    expect(() => model.forward(batch, { adapterNames: ["a", "z", "b"] })).toThrow('there is no adapter "z"');
    expect(() => model.forward(batch, { adapterNames: ["a", "c", "b"] })).toThrow(
      'adapter "c" (lora) cannot be one of several',
    );
    expect(model.forward(batch)).toEqual(before);
  });
});
