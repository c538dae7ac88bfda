/** mT5: T5 1.1's block, with a gated feed-forward and an untied head, for 101 languages (Xue et al. 2021). */
import { defineModel } from "../nn/define-model.ts";
import { t5Config, t5Heads, t5Keys } from "./t5.ts";

export const mt5 = defineModel({
  modelType: "mt5",
  title: "mT5 (Xue et al. 2021)",
  prefix: "transformer",
  targets: {
    linear: ["q", "v"],
    budgeted: ["q", "k", "v", "o", "wi_0", "wi_1", "wo"],
    rescaled: { outputs: ["k", "v", "wi_1"], inputs: [] },
    norms: ["layer_norm", "final_layer_norm"],
  },
  keys: t5Keys,
  config: (c) => t5Config(c, { feedForward: "gated-gelu", tied: false }),
  heads: t5Heads("MT5"),
});
