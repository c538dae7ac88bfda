import type { Variant } from "./variant.ts";

const common = { r: 2, alpha: 5, targetModules: ["q_proj", "v_proj", "down_proj"] };

export const variants: readonly Variant[] = [
  { title: "with defaults", options: common },
  { title: "with both matrices low-rank", options: { ...common, r: 1, decomposeBoth: true, decomposeFactor: 4 } },
  {
    title: "with full matrices",
    options: { ...common, r: 8, rankPattern: { v_proj: 1 }, alphaPattern: { q_proj: 12 } },
  },
  { title: "started as LyCORIS does", options: { ...common, initWeights: "lycoris" } },
  { title: "started at random", options: { ...common, initWeights: false }, changesAtStart: true },
];
