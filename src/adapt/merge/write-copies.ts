/** Makes permanent what adapters replace instead of adding to: copied modules and trained biases. */
import { writeElements } from "../../tensor/elements.ts";
import type { Base } from "../adaptable-model.ts";
import type { Adapter } from "../adapter.ts";

/** Writes copies into the base weights that they replaced, rounded to those weights' dtype. Tied layers have been untied. */
export function bakeReplaced(base: Base, adapters: readonly Adapter[]): void {
  const { memory } = base.engine;
  for (const { module, weight, bias } of adapters.flatMap(({ replaced }) => replaced)) {
    const own = base.weightsOf(module);
    if (bias && own.bias) writeElements(memory, own.bias, 0, bias.values());
    if (weight) writeElements(memory, own.weight, 0, weight.values());
  }
}
