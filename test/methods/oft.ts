import type { Variant } from "./variant.ts";

const common = { oftBlockSize: 4, targetModules: ["q_proj", "v_proj", "down_proj"] };

export const variants: readonly Variant[] = [
  { title: "with defaults", options: common },
  { title: "with an exact rotation", options: { ...common, useCayleyNeumann: false } },
  { title: "with shared blocks", options: { ...common, blockShare: true, numCayleyNeumannTerms: 3 } },
  { title: "with a number of blocks", options: { ...common, oftBlockSize: 0, r: 5, bias: "oft_only" } },
  { title: "on embeddings", options: { ...common, targetModules: ["embed_tokens", "q_proj"] } },
  // What is trained is put back into its ball by every pass, of which the gradient knows nothing: files from before differ.
  { title: "kept small", options: { ...common, coft: true, eps: 0.3 }, heldConstant: /oft_R/, reloads: false },
  { title: "started at random", options: { ...common, initWeights: false }, changesAtStart: true },
];
