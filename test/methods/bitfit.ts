import type { Variant } from "./variant.ts";

export const variants: readonly Variant[] = [
  // Loaded again it is a LoRA with zero factors, which are trained too and stay zero.
  { title: "with defaults", options: {}, reloads: false },
  { title: "with copied modules", options: { modulesToSave: ["norm", "lm_head"] }, reloads: false },
];
