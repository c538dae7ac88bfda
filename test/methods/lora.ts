import type { Variant } from "./variant.ts";

const common = { r: 3, loraAlpha: 5, targetModules: ["q_proj", "v_proj", "up_proj", "embed_tokens"] };

export const variants: readonly Variant[] = [
  { title: "with defaults", options: common },
  {
    title: "rank-stabilised, some layers with other ranks",
    options: { ...common, useRslora: true, rankPattern: { q_proj: 2, "layers.1.mlp.up_proj": 5 } },
  },
  // The norm in DoRA is a constant for the gradient, so A and B do not get their whole derivative.
  { title: "with magnitudes", options: { ...common, useDora: true }, heldConstant: /lora_[AB]|lora_embedding/ },
  { title: "with biases of its own", options: { ...common, loraBias: true, targetModules: "all-linear" } },
  { title: "all biases trained", options: { ...common, bias: "all" } },
  { title: "biases of adapted layers trained", options: { ...common, bias: "lora_only" } },
  { title: "started from the base", options: { ...common, initLoraWeights: "pissa" } },
  {
    title: "started from the base, with magnitudes",
    options: { ...common, initLoraWeights: "olora", useDora: true },
    heldConstant: /lora_[AB]|lora_embedding/,
  },
  {
    title: "with trained tokens",
    options: { ...common, targetModules: ["q_proj", "up_proj"], trainableTokenIndices: [27, 3] },
  },
  { title: "with copied modules", options: { ...common, modulesToSave: ["norm", "lm_head"] } },
];
