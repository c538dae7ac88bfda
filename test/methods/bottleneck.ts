import type { Variant } from "./variant.ts";

const options = { reductionFactor: 6, nonLinearity: "swish" };

export const variants: readonly Variant[] = [
  { title: "Pfeiffer's form", options, merges: false, changesAtStart: true },
  { title: "Houlsby's form", options: { ...options, form: "houlsby" }, merges: false, changesAtStart: true },
  { title: "in parallel", options: { ...options, form: "parallel" }, merges: false },
  { title: "in parallel with a learned scaling", options: { ...options, form: "scaled_par_bn" }, merges: false },
  {
    title: "with norms, gate and a scaling of every channel",
    options: { ...options, lnBefore: true, lnAfter: true, useGating: true, scaling: "channel", initWeights: "houlsby" },
    merges: false,
    changesAtStart: true,
  },
  {
    title: "after attention in one layer only",
    options: { ...options, mhAdapter: true, outputAdapter: false, leaveOut: [0], initWeights: "mam_adapter" },
    merges: false,
  },
];
