/**
 * LN tuning (Zhao et al. 2023): the norms of the model are trained, and everything else is unchanged. A trained copy
 * replaces each norm and is saved as ln_tuning_layers.weight [D] and, if there is a bias, ln_tuning_layers.bias [D].
 */
import { commonOnly, defineMethod } from "../adapt/method/define-method.ts";

/**
 * Trains only the norms.
 *
 * @example
 * const model = getPeftModel(base, lnTuning({ targetModules: ["input_layernorm", "norm"] }));
 */
export const lnTuning = defineMethod({
  peftType: "LN_TUNING",
  about: {
    title: "LN tuning",
    paper: "Zhao et al. 2023, arXiv:2312.11420",
    equation: "norm(x) = (x − mean) / std ∘ w + b with w and b trained",
    when: "For a small change of style or domain with a few thousand parameters; adds no cost at inference.",
    learningRate: 1e-3,
  },
  options: {},
  common: commonOnly("targetModules", "excludeModules", "modulesToSave", "taskType", "baseModelNameOrPath", "revision"),
  targets: ({ norms }) => norms ?? [],
  copies: "ln_tuning_layers",
});
