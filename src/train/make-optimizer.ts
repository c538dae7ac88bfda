/** Creates the optimizer of a run. */
import { FormatError } from "../core/errors.ts";
import { asNamed, type Spell } from "../core/options.ts";
import type { Optimizer, ParamGroup } from "../optim/define-optimizer.ts";
import { isUpProjection, loraPlusGroups } from "../optim/loraplus.ts";
import { optimizerOf, type Settings } from "./arguments.ts";
import type { Trainable } from "./trainable.ts";

/** For all trained parameters of a model. Throws FormatError if LoRA+ is requested and there is no lora_B. */
export function makeOptimizer(
  model: Pick<Trainable, "engine" | "namedTrainable">,
  args: Settings,
  spell: Spell = asNamed,
): Optimizer {
  const { kind, options } = optimizerOf(args);
  const params = model.namedTrainable();
  return new kind(model.engine, params, { ...options, groups: groupsOf([...params.keys()], args, spell) });
}

function groupsOf(names: readonly string[], args: Settings, spell: Spell): readonly ParamGroup[] {
  const { loraplusLrRatio: lrRatio, loraplusLrEmbedding: lrEmbedding, learningRate: lr } = args;
  if (lrRatio === null) return [];
  if (!names.some(isUpProjection)) {
    throw new FormatError(
      `${spell("loraplusLrRatio")} is ${lrRatio}, but no trained parameter is a lora_B (the first is "${names[0]}"): train LoRA, or omit the option`,
    );
  }
  return loraPlusGroups({ lr, lrRatio, lrEmbedding });
}
