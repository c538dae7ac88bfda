/** Adapters made of others, and batches of several, against PEFT: test/golden/methods/{weighted,converted,mixed-batch}. */
import { describe, expect, test } from "vitest";
import type { Combination } from "../../../src/adapt/derive/combine.ts";
import type { WeightedOptions } from "../../../src/adapt/derive/derive.ts";
import { PeftModel } from "../../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../../src/auto/auto-classes.ts";
import { concatenate } from "../../../src/nn/pass/sequences.ts";
import type { CausalLM } from "../../../src/nn/tasks/causal-lm.ts";
import { createEngine } from "../../../src/wasm/engine.ts";
import { expectClose, GOLDEN, readCase, readTensors } from "../../golden-files.ts";

interface WeightedCase {
  readonly adapters: readonly string[];
  readonly weights: readonly number[];
  readonly options: {
    readonly combination_type: Combination;
    readonly svd_rank?: number;
    readonly density?: number;
    readonly majority_sign_method?: "total" | "frequency";
  };
  readonly r: number;
}

const weighted = readCase<{ model: string; sources: string[]; cases: Record<string, WeightedCase> }>(
  "methods/weighted",
);

async function baseOf(model: string): Promise<CausalLM> {
  const engine = await createEngine({ build: "baseline" });
  return AutoModelForCausalLM.fromPretrained(`${GOLDEN}/${model}`, { engine });
}

async function withSources(): Promise<PeftModel<CausalLM>> {
  const model = new PeftModel(await baseOf(weighted.model), { onWarning: () => {} });
  for (const source of weighted.sources) await model.loadAdapter(`${GOLDEN}/methods/weighted/${source}`, source);
  return model;
}

/** B·A of one layer of a plain LoRA whose alpha is its rank, [out, in]. */
function changeIn(model: PeftModel, adapter: string, layer: string): number[] {
  const state = model.adapterState(adapter);
  const [a, b] = ["A", "B"].map((factor) => state.get(`base_model.model.${layer}.lora_${factor}.weight`)!);
  const inFeatures = 32;
  const r = a!.length / inFeatures;
  return Array.from({ length: (b!.length / r) * inFeatures }, (_, at) => {
    const [o, i] = [Math.floor(at / inFeatures), at % inFeatures];
    let sum = 0;
    for (let k = 0; k < r; k++) sum += b![o * r + k]! * a![k * inFeatures + i]!;
    return sum;
  });
}

describe("weighted adapters are PEFT's", async () => {
  const expected = await readTensors("methods/weighted");
  test.each(Object.keys(weighted.cases))("%s", async (name) => {
    const { adapters, weights, options, r } = weighted.cases[name]!;
    const model = await withSources();
    const chosen: WeightedOptions = {
      combination: options.combination_type,
      rank: options.svd_rank ?? null,
      density: options.density ?? null,
      ...(options.majority_sign_method && { majoritySign: options.majority_sign_method }),
    };
    model.addWeightedAdapter(adapters, weights, "combined", chosen);
    expect(model.peftConfig.get("combined")!.values).toMatchObject({ r, loraAlpha: r });
    // PEFT carries the flag of rank-stabilised LoRA over and so scales its result by √r once more: ours is the true one.
    const excess = name.includes("rslora") ? Math.sqrt(r) : 1;
    const layers = Array.from(expected.keys()).filter((key) => key.startsWith(`${name}.`));
    expect(layers.length).toBeGreaterThan(0);
    for (const key of layers) {
      const want = Array.from(expected.get(key)!.values, (x) => x / excess);
      expectClose(key, changeIn(model, "combined", key.slice(name.length + 1)), want, 2e-5, 1e-4);
    }
  });
});

test("a LoHa becomes the LoRA that PEFT makes of it", async () => {
  const { model, rank } = readCase<{ model: string; rank: number }>("methods/converted");
  const expected = await readTensors("methods/converted");
  const peft = await PeftModel.fromPretrained(await baseOf(model), `${GOLDEN}/methods/converted`, {
    onWarning: () => {},
  });
  await peft.convertToLora("default", "plain", { rank });
  const layers = Array.from(expected.keys()).filter((key) => key.startsWith("to."));
  expect(layers).toHaveLength(2);
  for (const key of layers)
    expectClose(key, changeIn(peft, "plain", key.slice(3)), expected.get(key)!.values, 1e-4, 1e-3);
});

test("a batch of several adapters and none has PEFT's logits", async () => {
  const { adapter_names: adapterNames, batches } = readCase<{
    adapter_names: string[];
    batches: { sequences: number[][] }[];
  }>("methods/mixed-batch");
  const model = await withSources();
  const got = model.forward(concatenate(batches[0]!.sequences), { adapterNames }).data;
  expectClose("logits", got, (await readTensors("methods/mixed-batch")).get("logits")!.values, 1e-4, 2e-4);
});
