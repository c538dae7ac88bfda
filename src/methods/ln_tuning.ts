/**
 * LN tuning (Zhao et al. 2023): the norms of the model are trained, everything else stays as it is. A trained copy stands in for
 * each norm and is saved as ln_tuning_layers.weight [D] and, where there is one, ln_tuning_layers.bias [D].
 */
import { commonOnly, defineMethod } from "../adapt/method/define-method.ts";

/**
 * Training of the norms alone.
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
    when: "A few thousand numbers, for a change of style or domain that is not far; costs nothing at inference.",
    learningRate: 1e-3,
  },
  options: {},
  common: commonOnly("targetModules", "excludeModules", "modulesToSave", "taskType", "baseModelNameOrPath", "revision"),
  targets: ({ norms }) => norms ?? [],
  copies: "ln_tuning_layers",
});
