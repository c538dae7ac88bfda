/**
 * Encoder-decoder language models: a target, given its source. Source and target each have the tokenizer's special tokens, which
 * end both. A text alone is a source without a target.
 */
import { countLabelled } from "../core/labels.ts";
import { defineRow, notTexts, type RowOf } from "./kit/define-row.ts";
import { defineTask } from "./kit/define-task.ts";
import { type EncodeContext, type Example, inputOf, lengthLimit } from "./kit/example.ts";
import { textRow } from "./rows/text.ts";
import { tokensRow } from "./rows/tokens.ts";

export interface SourceContent {
  readonly kind: "source";
  readonly source: string;
  readonly target: string;
}

const sourceRow = defineRow<SourceContent>({
  kind: "source",
  title: "a source with its target",
  required: ["source", "target"],
  optional: [],
  texts: ["source", "target"],
  shapes: ['{"source", "target"}'],
  isText: true,
  read(row) {
    const { source, target } = row as { source: string; target: string };
    return notTexts(row, "source", "target") ?? { kind: "source", source, target };
  },
});

export const task = defineTask({
  name: "SEQ_2_SEQ_LM",
  taskType: "SEQ_2_SEQ_LM",
  head: "encoderDecoder",
  headModules: [],
  headOutsideAllLinear: false,
  stacks: ["encoder", "decoder"],
  auto: "AutoModelForSeq2SeqLM",
  model: async () => (await import("../generate/generative-models.ts")).GenerativeSeq2SeqLM,
  rows: [sourceRow, tokensRow, textRow],
  needs: '{"source", "target"} or {"input_ids", "labels"}',
  suggestedBy: ({ kind }) => kind === "source",
  encode: (row, context) => (row.kind === "tokens" ? encodeTokens(row, context) : encodeTexts(row, context)),
  countLabels: (labels) => countLabelled(labels),
  labelsAlign: "target",
  labelsAreTokens: true,
  longest: (_model, { length, targetLength }) => ({
    inputIds: new Int32Array(length),
    labels: new Int32Array(targetLength),
  }),
  present: async (context) => (await import("./kit/present-text.ts")).presentText(context),
});

function encodeTokens({ inputIds, labels }: RowOf<typeof tokensRow>, context: EncodeContext): Example | string {
  if (labels === null && !context.unlabelled) return 'has no "labels": the tokens of the target';
  const input = inputOf({ inputIds: inputIds.slice(0, lengthLimit(context) ?? inputIds.length) });
  return { ...input, labels: Int32Array.from((labels ?? []).slice(0, targetLimit(context) ?? labels?.length)) };
}

function encodeTexts(row: RowOf<typeof sourceRow | typeof textRow>, context: EncodeContext): Example | null {
  if (row.kind === "text" && (row.textPair !== undefined || !context.unlabelled)) return null;
  const [source, target] = row.kind === "source" ? [row.source, row.target] : [row.text, null];
  const tokenizer = context.tokenizer();
  const encode = (text: string, maxLength: number | null) =>
    Int32Array.from(tokenizer.encodePair(text, null, { maxLength }).inputIds);
  const labels = target === null ? new Int32Array() : encode(target, targetLimit(context));
  return { inputIds: encode(source, lengthLimit(context)), labels };
}

/** Tokens that a target may have, or null. */
function targetLimit(context: EncodeContext): number | null {
  return context.maxTargetLength ?? lengthLimit(context);
}
