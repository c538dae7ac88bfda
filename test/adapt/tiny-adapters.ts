/** Adapters "a" to "c" on a tiny Llama. */
import { expect } from "vitest";
import { getPeftModel, type PeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { Philox } from "../../src/core/random/philox.ts";
import { lora } from "../../src/methods/lora.ts";
import { concatenate } from "../../src/nn/pass/sequences.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { createEngine } from "../../src/wasm/engine.ts";

export const config = {
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
export const sequences = [
  [3, 9, 27, 31],
  [11, 21],
  [5, 6, 7, 8, 9],
];
export const batch = concatenate(sequences);
export const silent = { onWarning: () => {} };

export async function base(): Promise<CausalLM> {
  return AutoModelForCausalLM.fromConfig(config, { engine: await createEngine({ build: "baseline" }), seed: 1 });
}

export function scramble(model: PeftModel, name: string, seed: number): void {
  const random = new Philox(seed);
  const state = model.adapterState(name);
  model.loadAdapterState(
    name,
    new Map(Array.from(state, ([key, values]) => [key, values.map(() => 0.3 * random.normal())])),
  );
}

/** A model with adapters a and b of different scales, and c of another rank. */
export async function three(): Promise<PeftModel<CausalLM>> {
  const model = getPeftModel(await base(), lora({ r: 3, loraAlpha: 7 }), { ...silent, adapterName: "a" });
  model.addAdapter("b", lora({ r: 3, loraAlpha: 4, useRslora: true, targetModules: ["q_proj", "down_proj"] }));
  model.addAdapter("c", lora({ r: 2, loraAlpha: 5, targetModules: ["q_proj", "embed_tokens"] }));
  for (const [i, name] of ["a", "b", "c"].entries()) scramble(model, name, i + 1);
  return model;
}

export function furthest(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);
}

export function with_(model: PeftModel, ...names: string[]): Float32Array {
  model.setAdapter(names);
  return model.forward(batch).data;
}
