/** Classes of texts, or values for them: a text or a pair with its label. */

import { defineTask } from "./kit/define-task.ts";
import { countOne, longestLabels, presentLabels } from "./kit/sequence-labels.ts";
import { encodeSequence } from "./rows/encode-labelled.ts";
import { textRow } from "./rows/text.ts";
import { tokensRow } from "./rows/tokens.ts";

export const task = defineTask({
  name: "SEQ_CLS",
  taskType: "SEQ_CLS",
  head: "sequenceLabels",
  headModules: ["classifier", "score"],
  headOutsideAllLinear: true,
  stacks: ["encoder"],
  auto: "AutoModelForSequenceClassification",
  model: async () => (await import("../nn/tasks/classifier.ts")).SequenceClassifier,
  rows: [textRow, tokensRow],
  needs: '{"text", "label"}, {"text", "text_pair", "label"} or {"input_ids", "label"}',
  suggestedBy: ({ label }) => label !== undefined,
  classes: "any problem type",
  encode: encodeSequence,
  countLabels: countOne,
  longest: (model, { length }) => ({ inputIds: new Int32Array(length), labels: longestLabels(model) }),
  metrics: async (options) => (await import("../metrics/sequence-metrics.ts")).sequenceMetrics(options),
  present: presentLabels,
});
