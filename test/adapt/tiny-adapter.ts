/** Adapters on a tiny Llama: what tests of methods share. */
import type { PeftModel } from "../../src/adapt/peft-model.ts";
import { AutoModelForCausalLM } from "../../src/auto/auto-classes.ts";
import { Philox } from "../../src/core/random/philox.ts";
import { concatenateLabelled } from "../../src/nn/pass/sequences.ts";
import type { CausalLM } from "../../src/nn/tasks/causal-lm.ts";
import { createEngine } from "../../src/wasm/engine.ts";
import { examples, tinyConfig } from "../train/tiny.ts";

export const batch = concatenateLabelled(examples(3));
export const quiet = { onWarning: () => {} };
export const targets = { targetModules: ["q_proj", "v_proj", "down_proj"] };

/** Gives an adapter values that training could have led to. */
export function scramble(peft: PeftModel): void {
  const random = new Philox(3);
  for (const param of peft.namedTrainable().values())
    param.values().set(param.values().map((x) => x + 0.2 * random.normal()));
}

/** A tiny Llama whose head is not its embedding. */
export async function untied(): Promise<CausalLM> {
  const engine = await createEngine({ build: "baseline" });
  return AutoModelForCausalLM.fromConfig({ ...tinyConfig, tie_word_embeddings: false }, { engine, seed: 1 });
}

export async function saved(peft: PeftModel): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await peft.savePretrained(files);
  return files;
}

/** The files with some keys of the config replaced. */
export function edited(files: ReadonlyMap<string, Uint8Array>, keys: Record<string, unknown>): Map<string, Uint8Array> {
  const config = JSON.parse(new TextDecoder().decode(files.get("adapter_config.json")));
  return new Map(files).set("adapter_config.json", new TextEncoder().encode(JSON.stringify({ ...config, ...keys })));
}
