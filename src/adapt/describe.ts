/** Describes what an adapter would train on a model, without loading either. */
import type { Shape } from "../core/shape.ts";
import type { RawConfig } from "../nn/config.ts";
import type { Weights } from "../nn/layers/weights.ts";
import type { ModelOfShapes } from "../nn/tasks/model-of-shapes.ts";
import type { Weight } from "../tensor/tensor.ts";
import { baseOf } from "./adaptable-model.ts";
import { listAdapter, type Warn } from "./adapter.ts";
import { CONFIG_FILE, parseConfig, readConfig } from "./files/config-file.ts";
import { methodFor } from "./files/known-methods.ts";
import type { MethodConfig } from "./method/define-method.ts";

export interface DescribedAdapter {
  readonly peftType: string;
  /** The number of trained parameters. */
  readonly trainable: number;
  /** The total number of parameters, base and adapter. */
  readonly all: number;
  readonly tensors: readonly { readonly name: string; readonly shape: Shape }[];
}

/**
 * Lists the tensors of an adapter with this adapter_config.json on this model. Throws the same errors as creating the
 * adapter.
 */
export async function describeAdapter(
  model: ModelOfShapes,
  config: RawConfig,
  onWarning: Warn,
): Promise<DescribedAdapter> {
  const { keys, peftType } = parseConfig(JSON.stringify(config), CONFIG_FILE);
  return describeConfig(
    model,
    readConfig(await methodFor(peftType, CONFIG_FILE), keys, CONFIG_FILE, onWarning),
    onWarning,
  );
}

/** The same for a method with its options. */
export function describeConfig(
  { definition, traits, config, weights, headName, engine }: ModelOfShapes,
  chosen: MethodConfig,
  onWarning: Warn,
): DescribedAdapter {
  const { modules, sites } = weights;
  const { modelType, targets } = definition;
  const base = baseOf({ engine, traits, modelType, config, modules, sites, targets, headName });
  const { tensors, standIns } = listAdapter(chosen, base, onWarning);
  const trainable = tensors.reduce((sum, { size }) => sum + size, 0);
  return { peftType: chosen.method.peftType, trainable, all: countWeights(weights) + trainable - standIns, tensors };
}

/** The number of parameters of a model, counting each tensor once. */
export function countWeights({ modules }: Weights): number {
  const named = new Map<string, Weight>();
  for (const { weight, bias } of modules.values()) {
    named.set(weight.name, weight);
    if (bias) named.set(bias.name, bias);
  }
  return Array.from(named.values()).reduce((sum, { shape }) => sum + shape.reduce((size, axis) => size * axis, 1), 0);
}
