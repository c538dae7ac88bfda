/** Vectors of texts: inputs only, nothing is learned. */
import { defineTask } from "./kit/define-task.ts";
import { encodeSequence } from "./rows/encode-labelled.ts";
import { textRow } from "./rows/text.ts";
import { tokensRow } from "./rows/tokens.ts";

export const task = defineTask({
  name: "FEATURE_EXTRACTION",
  taskType: "FEATURE_EXTRACTION",
  head: "features",
  headModules: [],
  headOutsideAllLinear: false,
  stacks: ["encoder"],
  auto: "AutoModel",
  model: async () => (await import("../nn/tasks/feature-extractor.ts")).FeatureExtractor,
  rows: [textRow, tokensRow],
  needs: '{"text"}, {"text", "text_pair"} or {"input_ids"}',
  encode({ label: _, ...row }, context) {
    return encodeSequence(row, { ...context, unlabelled: true });
  },
  longest: (_model, { length }) => ({ inputIds: new Int32Array(length), labels: new Int32Array(length) }),
});
