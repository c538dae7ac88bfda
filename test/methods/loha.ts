import type { Variant } from "./variant.ts";

// On this model r 3 is computed by its factors, r 5 through the dense change.
const common = { r: 3, alpha: 5, targetModules: ["q_proj", "v_proj", "up_proj"] };

export const variants: readonly Variant[] = [
  { title: "with defaults", options: common },
  {
    title: "some layers with other ranks",
    options: { ...common, rankPattern: { q_proj: 5, "layers.1.mlp.up_proj": 4 }, alphaPattern: { v_proj: 2 } },
  },
  { title: "started at random", options: { ...common, initWeights: false }, changesAtStart: true },
];
