/** Classes of texts, or values for them. */
import { callOptions, camelKeys, expectArgument } from "../core/call-options.ts";
import { flag, type Options, oneOf, orNull, wholeOrNull } from "../core/options.ts";
import { forEach, outputsOf, type PipelineModel } from "./loaded.ts";
import type { TextClassificationOptions, TextPair } from "./results.ts";
import { rankedClasses } from "./scores.ts";

export const cutting = { truncation: flag(false), maxLength: wholeOrNull(1) } satisfies Options;
export const ranking = {
  topK: wholeOrNull(1),
  functionToApply: orNull(oneOf(["sigmoid", "softmax", "none"], "none")),
} satisfies Options;

export function textClassification(loaded: PipelineModel) {
  return async (inputs: string | TextPair | readonly (string | TextPair)[], given: TextClassificationOptions = {}) => {
    const options = camelKeys(given) as TextClassificationOptions;
    callOptions("text-classification", { ...ranking, ...cutting }, options);
    const { topK = 1 } = options;
    const isOne = !Array.isArray(inputs);
    const found = await forEach(inputs, isOne, (input: string | TextPair) => {
      const [logits] = outputsOf(loaded, encoded(loaded, input, options));
      return rankedClasses(loaded.base, logits!, { ...options, topK }, true);
    });
    // As transformers: a list of the best classes, unless it is said how many of each text are wanted.
    return isOne || options.topK === undefined ? found.flat() : found;
  };
}

function encoded(
  { tokenizer }: PipelineModel,
  input: string | TextPair,
  { truncation, maxLength }: TextClassificationOptions,
) {
  const { text, textPair = null } = (typeof input === "string" ? { text: input } : camelKeys(input)) as TextPair;
  const ok = typeof text === "string" && (textPair === null || typeof textPair === "string");
  expectArgument("text-classification", "a text", input, ok, "a text, { text, textPair }, or a list of them");
  return inputOf(tokenizer(text, { textPair, ...cutOf({ truncation, maxLength }) }));
}

/** Options of a tokenizer's call. */
export function cutOf({
  truncation,
  maxLength = null,
}: {
  truncation?: boolean | undefined;
  maxLength?: number | null | undefined;
}) {
  return { truncation: truncation ?? null, maxLength };
}

/** A tokenizer's encoding of one text as a model's input. */
export function inputOf({
  inputIds,
  tokenTypeIds = [],
}: {
  inputIds: readonly number[];
  tokenTypeIds?: readonly number[];
}) {
  return { ids: inputIds, typeIds: tokenTypeIds };
}
