import type { Variant } from "./variant.ts";

export const variants: readonly Variant[] = [
  {
    title: "in the upper layer",
    options: { adapterLen: 3, adapterLayers: 1, targetModules: "self_attn" },
    merges: false,
  },
  { title: "in all layers", options: { adapterLen: 2, adapterLayers: 2 }, merges: false },
];
