/** What an adapter would train on a model, found without loading either. */
import type { Shape } from "../core/shape.ts";
import type { RawConfig } from "../nn/config.ts";
import type { Decoder, ModelDefinition } from "../nn/define-model.ts";
import type { Module } from "../nn/weights.ts";
import type { Engine } from "../wasm/engine.ts";
import { listAdapter, type Warn } from "./adapter.ts";
import { baseOf } from "./base.ts";
import { CONFIG_FILE, parseConfig, readConfig } from "./config-file.ts";
import { methodFor } from "./known-methods.ts";

export interface DescribedModel {
  readonly definition: ModelDefinition;
  readonly modules: ReadonlyMap<string, Module>;
  readonly decoder: Decoder;
}

export interface DescribedAdapter {
  readonly peftType: string;
  /** How many numbers are trained. */
  readonly trainable: number;
  readonly tensors: readonly { readonly name: string; readonly shape: Shape }[];
}

/** Lists the tensors of an adapter with this adapter_config.json on this model. Throws as making the adapter would. */
export async function describeAdapter(
  model: DescribedModel,
  config: RawConfig,
  onWarning: Warn,
): Promise<DescribedAdapter> {
  const { keys, peftType } = parseConfig(JSON.stringify(config), CONFIG_FILE);
  const chosen = readConfig(await methodFor(peftType, CONFIG_FILE), keys, CONFIG_FILE, onWarning);
  // Listing computes nothing, so no engine is touched.
  const engine = null as unknown as Engine;
  const { modules, definition, decoder } = model;
  const base = baseOf({ engine, modules, adaptByDefault: definition.adaptByDefault, headName: decoder.head.name });
  const tensors = listAdapter(chosen, base, onWarning);
  return { peftType, trainable: tensors.reduce((sum, { size }) => sum + size, 0), tensors };
}
