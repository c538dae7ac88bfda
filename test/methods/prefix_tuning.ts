import type { Variant } from "./variant.ts";

const common = { numVirtualTokens: 3 };
const projected = { ...common, prefixProjection: true, encoderHiddenSize: 6 };
const kind = { changesAtStart: true, merges: false };

export const variants: readonly Variant[] = [
  { title: "with defaults", options: common, ...kind },
  { title: "started from zeros", options: { ...common, initWeights: "zero" }, ...kind },
  { title: "with a projection", options: projected, ...kind, reloads: false },
  {
    title: "with a projection that starts from zeros",
    options: { ...projected, initWeights: "zero" },
    ...kind,
    reloads: false,
  },
];
