import type { Variant } from "./variant.ts";

export const variants: readonly Variant[] = [
  { title: "with defaults", options: {} },
  {
    title: "of one layer, with a copied module",
    options: { targetModules: ".*layers.1.*layernorm", modulesToSave: ["lm_head"] },
  },
  { title: "of other layers", options: { targetModules: ["embed_tokens", "q_proj"] } },
];
