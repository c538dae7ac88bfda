/**
 * Prompt tuning (Lester et al. 2021): n trained rows before the embedded tokens of every sequence.
 *
 *   prompt_embeddings [n · stacks, D]      x = [prompt; E[ids]]
 *
 * For an encoder-decoder PEFT keeps rows for both stacks; only the encoder's are used, the others never get a gradient. The
 * table may start from the embedding of a text, so that training begins with a prompt in words. PEFT loads such adapters for
 * inference only; here they can be trained further.
 */
import {
  defineMethod,
  type MethodValues,
  type ModelShape,
  promptCommon,
  type SiteParts,
} from "../adapt/method/define-method.ts";
import { oneOf, option, text, unsaved } from "../adapt/method/options.ts";
import {
  checkPrompt,
  PROMPT_PREFIX,
  promptSizes,
  promptTokens,
  tableShape,
  tableStart,
} from "../adapt/method/prompt.ts";
import type { MakeAt } from "../adapt/method/tensor-maker.ts";
import { lift } from "../ops/linear/product.ts";

const isIds = (value: unknown) =>
  value === null || (Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id >= 0));
const isRecord = (value: unknown) => value === null || (typeof value === "object" && !Array.isArray(value));

/** Options about the start from a text; multitask prompt tuning has them too. */
export const textStart = {
  promptTuningInitText: text("the text that the rows start from"),
  /** The ids of that text. PEFT tokenises it when the adapter is made; here the caller does. */
  promptTuningInitIds: unsaved(option<readonly number[] | null>(null, "a list of token ids or null", isIds, "its ids")),
  tokenizerNameOrPath: text("the tokenizer of the text; the base's by default"),
  tokenizerKwargs: option<Readonly<Record<string, unknown>> | null>(null, "an object or null", isRecord),
};

const options = {
  ...promptCommon,
  promptTuningInit: oneOf(["TEXT", "SAMPLE_VOCAB", "RANDOM"], "RANDOM", "what the rows start from"),
  ...textStart,
};

type Values = MethodValues<typeof options>;

/**
 * Trained rows before the embedded tokens of every sequence.
 *
 * @example
 * const model = getPeftModel(base, promptTuning({ numVirtualTokens: 20 }));
 */
export const promptTuning = defineMethod({
  peftType: "PROMPT_TUNING",
  about: {
    title: "Prompt tuning",
    paper: "Lester et al. 2021, arXiv:2104.08691",
    equation: "x = [P; E[ids]]",
    when: "The fewest numbers of all, one row for each virtual token: for large models and many small adapters. Learns slowly.",
    learningRate: 3e-2,
    example: { numVirtualTokens: 20 },
  },
  common: {},
  keyPrefix: PROMPT_PREFIX,
  targets: null,
  options,
  check: (values, spell) => checkPrompt(values, spell) ?? checkText(values, spell),
  settle: (values, _layers, warn, model) => ({ ...promptSizes(values, model), ...tokenizerOf(values, warn) }),
  sites,
});

function sites(model: ModelShape, values: Values, make: MakeAt): SiteParts {
  const own = make(null);
  const table = own.param("prompt_embeddings", tableShape(values), tableStart(values, model, own));
  const virtual = promptTokens(model, values, (tape) => {
    const rows = lift(tape, table);
    return () => rows;
  });
  return { virtual };
}

interface TextStart {
  readonly promptTuningInit: string;
  readonly promptTuningInitText: string | null;
  readonly tokenizerNameOrPath: string | null;
  readonly tokenizerKwargs: Readonly<Record<string, unknown>> | null;
  readonly baseModelNameOrPath: string | null;
}

/** PEFT's rules for the start from a text. */
export function checkText(values: TextStart, spell: (name: string) => string): string | null {
  const start = `"${spell("promptTuningInit")}" is "${values.promptTuningInit}"`;
  const fromText = values.promptTuningInit === "TEXT";
  if (fromText && values.promptTuningInitText === null)
    return `${start}, but "${spell("promptTuningInitText")}" is missing`;
  if (!fromText && values.tokenizerKwargs && Object.keys(values.tokenizerKwargs).length > 0)
    return `${start}, but "${spell("tokenizerKwargs")}" are for a start from a text`;
  return null;
}

/** The tokenizer that a config must name beside a text: the base's where the user names none. */
export function tokenizerOf(
  values: TextStart,
  warn: (message: string) => void,
): Pick<TextStart, "tokenizerNameOrPath"> {
  const { promptTuningInit, tokenizerNameOrPath, baseModelNameOrPath } = values;
  if (promptTuningInit !== "TEXT" || tokenizerNameOrPath) return { tokenizerNameOrPath };
  if (!baseModelNameOrPath)
    warn('"tokenizerNameOrPath" is missing and the base has no name: PEFT will not load this adapter without it');
  return { tokenizerNameOrPath: baseModelNameOrPath };
}
