import type { Variant } from "./variant.ts";

const kind = { changesAtStart: true, merges: false };

export const variants: readonly Variant[] = [
  { title: "of one task", options: { numVirtualTokens: 3, numRanks: 8 }, ...kind },
  { title: "of several tasks", options: { numVirtualTokens: 2, numTasks: 3, numRanks: 2 }, ...kind },
];
