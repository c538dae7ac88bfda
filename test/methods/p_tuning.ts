import type { Variant } from "./variant.ts";

const common = { numVirtualTokens: 3, encoderHiddenSize: 6 };
const lstm = { ...common, encoderReparameterizationType: "LSTM" };
const kind = { changesAtStart: true, merges: false, reloads: false };

export const variants: readonly Variant[] = [
  { title: "with an MLP", options: common, ...kind },
  { title: "with an LSTM of two layers", options: lstm, ...kind },
  { title: "with an LSTM of one layer", options: { ...lstm, encoderNumLayers: 1 }, ...kind },
];
