/** A trained number for each output: y = x·Wᵀ + bias + b. */
import { commonOnly, defineMethod } from "../adapt/method/define-method.ts";
import { number } from "../core/options.ts";
import { addBias } from "../ops/layout/columns.ts";
import { addLowRank } from "../ops/linear/linear.ts";

export const toyShift = defineMethod({
  peftType: "TOY_SHIFT",
  about: {
    title: "Toy shift",
    paper: "nowhere",
    equation: "y = x·Wᵀ + s·b",
    when: "Never.",
    learningRate: 1e-2,
  },
  options: { shiftScale: number(2, "factor of the shift") },
  common: commonOnly("targetModules", "excludeModules", "modulesToSave", "taskType", "baseModelNameOrPath", "revision"),
  linear(layer, { shiftScale }, make) {
    const b = make.param("toy_b", [layer.outFeatures], "zeros");
    return {
      forward: (x, deltas, below, biased) => addLowRank(addBias(below(x, [], biased), b, shiftScale), deltas),
      fold: () => () => {}, // the weight stays as it is
      foldBias: (bias) => bias.set(bias.map((value, i) => value + shiftScale * b.values()[i]!)),
    };
  },
});
