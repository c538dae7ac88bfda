import type { Variant } from "./variant.ts";

const tokenIndices = [27, 3, 13]; // of the batch

export const variants: readonly Variant[] = [
  { title: "with defaults", options: { tokenIndices } },
  { title: "of the output projection too", options: { tokenIndices, targetModules: ["embed_tokens", "lm_head"] } },
  { title: "random start", options: { tokenIndices, initWeights: false }, changesAtStart: true },
];
