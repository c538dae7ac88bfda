/**
 * Classes of words: names in a text, parts of speech. A word's label stands on its first token; its other tokens and the special
 * ones have -100.
 */
import { countLabelled, IGNORED } from "../core/labels.ts";
import { defineRow, isWhole, kindOf, type RowOf } from "./kit/define-row.ts";
import { defineTask } from "./kit/define-task.ts";
import { type EncodeContext, type Example, inputOf, lengthLimit } from "./kit/example.ts";
import { classOf } from "./kit/labels.ts";
import { alignedLabels, tokensRow } from "./rows/tokens.ts";

export interface WordsContent {
  readonly kind: "words";
  readonly words: readonly string[];
  readonly labels: readonly (string | number)[] | null;
}

const wordsRow = defineRow<WordsContent>({
  kind: "words",
  title: "words with labels",
  required: ["tokens"],
  optional: ["labels"],
  shapes: ['{"tokens": [words], "labels"}'],
  isText: true,
  read({ tokens: words, labels = null }) {
    if (!Array.isArray(words) || words.length === 0)
      return `"tokens" should be a list of words, found ${kindOf(words)}`;
    const odd = words.findIndex((word) => typeof word !== "string");
    if (odd >= 0) return `"tokens"[${odd}] should be a word, found ${kindOf(words[odd])}`;
    if (labels === null) return { kind: "words", words, labels };
    if (!Array.isArray(labels)) return `"labels" should be a list, one for each word, found ${kindOf(labels)}`;
    if (labels.length !== words.length)
      return `"labels" has ${labels.length} entries and "tokens" ${words.length}, they should be aligned`;
    const wrong = labels.findIndex((label) => typeof label !== "string" && !isWhole(label) && label !== IGNORED);
    if (wrong < 0) return { kind: "words", words, labels };
    return `"labels"[${wrong}] should be a name or a whole number of 0 or more, found ${kindOf(labels[wrong])}`;
  },
});

export const task = defineTask({
  name: "TOKEN_CLS",
  taskType: "TOKEN_CLS",
  head: "tokenLabels",
  headModules: ["classifier", "score"],
  headOutsideAllLinear: false,
  stacks: ["encoder"],
  auto: "AutoModelForTokenClassification",
  model: async () => (await import("../nn/tasks/token-classifier.ts")).TokenClassifier,
  rows: [wordsRow, tokensRow],
  needs: '{"tokens": [words], "labels"} or {"input_ids", "labels"}',
  suggestedBy: ({ kind }) => kind === "words",
  classes: "one",
  encode: (row, context) => (row.kind === "words" ? encodeWords(row, context) : encodeTokens(row, context)),
  countLabels: (labels) => countLabelled(labels),
  labelsAlign: "ids",
  longest: (_model, { length }) => ({ inputIds: new Int32Array(length), labels: new Int32Array(length) }),
  metrics: async (options) => (await import("../metrics/token-metrics.ts")).tokenMetrics(options),
  async present({ outputs, labelNames, problemType }) {
    const { predict } = await this.metrics!({ labelNames, problemType });
    return (example) => {
      const found = predict(outputs(example), example) as Int32Array;
      return { labels: Array.from(found, (label) => labelNames[label]) };
    };
  },
});

function encodeWords(row: RowOf<typeof wordsRow>, context: EncodeContext): Example | string {
  if (row.labels === null && !context.unlabelled) return 'has no "labels"';
  const classes = classesOf(row.labels ?? row.words.map(() => IGNORED), context);
  if (typeof classes === "string") return classes;
  const encoding = context.tokenizer().encodeWords(row.words, { maxLength: lengthLimit(context) });
  const { wordIds } = encoding;
  const labels = wordIds.map((word, i) => (word === null || word === wordIds[i - 1] ? IGNORED : classes[word]!));
  return { ...inputOf(encoding), labels: Int32Array.from(labels) };
}

function encodeTokens(row: RowOf<typeof tokensRow>, context: EncodeContext): Example | string | null {
  const { inputIds } = row;
  const labels = alignedLabels(row);
  if (row.label !== undefined) return null;
  if (labels === null && !context.unlabelled) return 'has no "labels"';
  if (typeof labels === "string") return labels;
  const kept = lengthLimit(context) ?? inputIds.length;
  const classes = classesOf(labels ?? inputIds.map(() => IGNORED), context);
  if (typeof classes === "string") return classes;
  return { ...inputOf({ inputIds: inputIds.slice(0, kept) }), labels: Int32Array.from(classes.slice(0, kept)) };
}

function classesOf(labels: readonly (string | number)[], { labelNames = null }: EncodeContext): number[] | string {
  const found: number[] = [];
  for (const label of labels) {
    const known = label === IGNORED ? IGNORED : classOf(label, labelNames ?? []);
    if (typeof known === "string") return known;
    found.push(known);
  }
  return found;
}
