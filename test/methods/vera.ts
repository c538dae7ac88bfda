import type { Variant } from "./variant.ts";

const common = { r: 12, targetModules: ["q_proj", "v_proj", "down_proj"] };

export const variants: readonly Variant[] = [
  { title: "with defaults", options: common },
  { title: "with its projection made again", options: { ...common, saveProjection: false, projectionPrngKey: 9 } },
  { title: "with biases of adapted layers", options: { ...common, bias: "vera_only" } },
  { title: "started at random", options: { ...common, initWeights: false }, changesAtStart: true },
];
