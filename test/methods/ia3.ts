import type { Variant } from "./variant.ts";

export const variants: readonly Variant[] = [
  { title: "with defaults", options: {} },
  { title: "all outputs", options: { targetModules: ["q_proj", "up_proj", "lm_head"], feedforwardModules: [] } },
  { title: "all inputs, by a pattern", options: { targetModules: ".*(o_proj|gate_proj)", feedforwardModules: ".*" } },
  {
    title: "random start, with copied modules",
    changesAtStart: true,
    options: { initIa3Weights: false, modulesToSave: ["norm"] },
  },
];
