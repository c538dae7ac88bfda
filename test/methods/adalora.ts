import type { Variant } from "./variant.ts";

const common = { initR: 4, targetR: 2, loraAlpha: 7, totalStep: 10, targetModules: ["q_proj", "up_proj", "down_proj"] };

export const variants: readonly Variant[] = [
  { title: "with defaults", options: common },
  { title: "all biases trained, without the orthogonal term", options: { ...common, bias: "all", orthRegWeight: 0 } },
  {
    title: "random start, with copied modules",
    options: { ...common, loraAlpha: 1, orthRegWeight: 0.02, initLoraWeights: false, modulesToSave: ["norm"] },
    changesAtStart: true,
  },
];
