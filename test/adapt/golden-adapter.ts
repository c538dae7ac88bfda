/** Adapters on a golden model. */
import { getPeftModel, type PeftModel } from "../../src/adapt/peft-model.ts";
import { Philox } from "../../src/core/random/philox.ts";
import { lora } from "../../src/methods/lora.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { storedBytes } from "../../src/tensor/elements.ts";
import { batchOf, loadGolden } from "../golden-files.ts";

export const sequences = [
  [5, 6, 7, 8, 9, 10],
  [20, 30, 40],
];
export const batch = batchOf({ sequences, labels: sequences });
export const silent = { onWarning: () => {} };
export const q = lora({ r: 4, loraAlpha: 12, targetModules: ["q_proj"] });
export const v = lora({ r: 2, loraAlpha: 3, targetModules: ["v_proj", "q_proj"] });

export async function base(name = "llama"): Promise<CausalLM> {
  return (await loadGolden(name)).model;
}

/** Gives an adapter values that training could have led to. */
export function scramble(model: PeftModel, name: string, seed = 5): void {
  const random = new Philox(seed);
  const state = model.adapterState(name);
  for (const values of state.values()) values.set(values.map((x) => x + 0.2 * random.normal()));
  model.loadAdapterState(name, state);
}

export function weightBytes(model: CausalLM): Map<string, Uint8Array> {
  return new Map(
    Array.from(model.namedWeights(), ([name, weight]) => [name, storedBytes(model.engine.memory, weight).slice()]),
  );
}

export async function saved(model: PeftModel): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await model.savePretrained(files);
  return files;
}

export async function twoAdapters(name = "llama"): Promise<{ model: PeftModel; plain: CausalLM }> {
  const plain = await base(name);
  const model = getPeftModel(plain, q, silent);
  model.addAdapter("other", v);
  scramble(model, "default", 1);
  scramble(model, "other", 2);
  return { model, plain };
}

/** "default" has magnitudes, "other" has not, and both adapt the same layers. */
export async function withMagnitudes(): Promise<{ model: PeftModel }> {
  const plain = await base("llama-bias");
  const targetModules = ["q_proj", "down_proj"];
  const model = getPeftModel(plain, lora({ r: 4, loraAlpha: 12, useDora: true, targetModules }), silent);
  model.addAdapter("other", lora({ r: 2, loraAlpha: 3, targetModules }));
  scramble(model, "default", 1);
  scramble(model, "other", 2);
  return { model };
}
