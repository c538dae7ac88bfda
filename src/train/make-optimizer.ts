/** The optimiser of a run, as its settings say. */
import { FormatError } from "../core/errors.ts";
import type { Optimizer, ParamGroup } from "../optim/define-optimizer.ts";
import { isUpProjection, loraPlusGroups } from "../optim/loraplus.ts";
import { optimizerOf, type Settings } from "./arguments.ts";
import type { Trainable } from "./trainable.ts";

/** Over everything that is trained in a model. Throws FormatError when LoRA+ is asked for and no trained tensor is a lora_B. */
export function makeOptimizer(model: Pick<Trainable, "engine" | "namedTrainable">, args: Settings): Optimizer {
  const { kind, options } = optimizerOf(args);
  const params = model.namedTrainable();
  return new kind(model.engine, params, { ...options, groups: groupsOf([...params.keys()], args) });
}

function groupsOf(names: readonly string[], args: Settings): readonly ParamGroup[] {
  const { loraplusLrRatio: lrRatio, loraplusLrEmbedding: lrEmbedding, learningRate: lr } = args;
  if (lrRatio === null) return [];
  if (!names.some(isUpProjection)) {
    throw new FormatError(
      `loraplusLrRatio is ${lrRatio}, but no trained tensor is a lora_B (the first is "${names[0]}"): train a LoRA adapter, or leave the setting out`,
    );
  }
  return loraPlusGroups({ lr, lrRatio, lrEmbedding });
}
