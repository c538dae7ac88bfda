/** Makes permanent what adapters replace instead of adding to: copied modules and trained biases. */
import { UnsupportedError } from "../../core/errors.ts";
import type { Module } from "../../nn/layers/weights.ts";
import type { Model } from "../../nn/tasks/model.ts";
import { expectDense, writeElements } from "../../tensor/elements.ts";
import { allocateFrozen } from "../../tensor/frozen.ts";
import type { Param, Weight } from "../../tensor/tensor.ts";
import type { Base } from "../adaptable-model.ts";
import type { Adapter, Warn } from "../adapter.ts";

/**
 * Writes copies into the base weights that they replaced, rounded to those weights' dtype. A copy of one of two tied
 * layers becomes a separate weight instead, and the model's config records that they are no longer tied.
 */
export function bakeReplaced(model: Model, base: Base, adapters: readonly Adapter[], warn: Warn): void {
  for (const { module, weight, bias } of adapters.flatMap(({ replaced }) => replaced)) {
    const own = base.weightsOf(module);
    if (bias && own.bias) writeElements(model.engine.memory, own.bias, 0, bias.values());
    if (!weight) continue;
    if (isShared(base, module, own.weight)) untie(model, base, module, weight, warn);
    else writeElements(model.engine.memory, own.weight, 0, weight.values());
  }
}

function isShared(base: Base, module: Module, weight: Weight): boolean {
  return Array.from(base.layers.values()).some((other) => other !== module && base.weightsOf(other).weight === weight);
}

function untie(model: Model, base: Base, module: Module, copy: Param, warn: Warn): void {
  if (model.traits.stacks.length > 1) {
    throw new UnsupportedError(
      `"${module.name}" cannot get a separate weight by merging: a tied ${model.modelType} scales the input of its head, ` +
        "and an untied one does not. Keep the adapter separate",
    );
  }
  const { dtype, shape } = expectDense(base.weightsOf(module).weight);
  const { memory } = model.engine;
  const own = allocateFrozen(memory, `${module.name}.weight`, shape, dtype, false);
  writeElements(memory, own, 0, copy.values());
  base.replaceWeight(module, own);
  model.config = { ...model.config, tie_word_embeddings: false };
  warn(`"${module.name}" has a separate weight after merging: the config no longer ties it`);
}
