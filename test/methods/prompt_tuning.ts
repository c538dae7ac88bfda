import type { Variant } from "./variant.ts";

const common = { numVirtualTokens: 3 };
const kind = { changesAtStart: true, merges: false };
const fromText = {
  promptTuningInit: "TEXT",
  promptTuningInitText: "a text",
  promptTuningInitIds: [7, 11],
  tokenizerNameOrPath: "a-tokenizer",
};

export const variants: readonly Variant[] = [
  { title: "with defaults", options: common, ...kind },
  { title: "started from random tokens", options: { ...common, promptTuningInit: "SAMPLE_VOCAB" }, ...kind },
  { title: "started from a text", options: { ...common, ...fromText }, ...kind },
];
