/**
 * Prompt tuning (Lester et al. 2021): n trained rows before the embedded tokens of every sequence.
 *
 *   prompt_embeddings [n · stacks, D]      x = [prompt; E[ids]]
 *
 * For an encoder-decoder, PEFT keeps rows for both stacks; only the encoder's are used, and the others never get a
 * gradient. The table may start from the embedding of a text, so that training starts from a natural-language prompt.
 * PEFT loads such adapters for inference only; here they can be trained further.
 */
import {
  defineMethod,
  type MethodValues,
  type ModelShape,
  promptCommon,
  type SiteParts,
} from "../adapt/method/define-method.ts";
import {
  checkPrompt,
  PROMPT_PREFIX,
  promptSizes,
  promptTokens,
  tableShape,
  tableStart,
} from "../adapt/method/prompt.ts";
import type { MakeAt } from "../adapt/method/tensor-maker.ts";
import { oneOf, option, orNull, text } from "../core/options.ts";
import { lift } from "../ops/linear/product.ts";

const isIds = (value: unknown) => Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id >= 0);
const isRecord = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Options for initialization from a text; multitask prompt tuning also has them. */
export const textStart = {
  promptTuningInitText: text("the text that initializes the rows"),
  /** The ids of that text. PEFT tokenizes it when the adapter is created; here the caller does. */
  promptTuningInitIds: orNull(
    option<readonly number[]>([], "a list of token ids", isIds, { help: "the ids of that text", unsaved: true }),
  ),
  tokenizerNameOrPath: text("the tokenizer of that text (default: the base's)"),
  tokenizerKwargs: orNull(
    option<Readonly<Record<string, unknown>>>(
      {},
      "an object",
      isRecord,
      "PEFT's options for that tokenizer; kept, not used",
    ),
  ),
};

const options = {
  ...promptCommon,
  promptTuningInit: oneOf(["TEXT", "SAMPLE_VOCAB", "RANDOM"], "RANDOM", "how the rows are initialized"),
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
    when: "For large models and many small adapters: the fewest parameters of all, one row per virtual token. Learns slowly.",
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

export interface TextStart {
  readonly promptTuningInit: string;
  readonly promptTuningInitText: string | null;
  readonly tokenizerNameOrPath: string | null;
  readonly tokenizerKwargs: Readonly<Record<string, unknown>> | null;
  readonly baseModelNameOrPath: string | null;
}

/** PEFT's rules for initialization from a text. */
export function checkText(values: TextStart, spell: (name: string) => string): string | null {
  const start = `"${spell("promptTuningInit")}" is "${values.promptTuningInit}"`;
  const fromText = values.promptTuningInit === "TEXT";
  if (fromText && values.promptTuningInitText === null)
    return `${start}, but "${spell("promptTuningInitText")}" is missing`;
  if (!fromText && values.tokenizerKwargs && Object.keys(values.tokenizerKwargs).length > 0)
    return `${start}, but "${spell("tokenizerKwargs")}" apply only to initialization from a text`;
  return null;
}

/** The tokenizer that a config with a text must name: the base's by default. */
export function tokenizerOf(
  values: TextStart,
  warn: (message: string) => void,
): Pick<TextStart, "tokenizerNameOrPath"> {
  const { promptTuningInit, tokenizerNameOrPath, baseModelNameOrPath } = values;
  if (promptTuningInit !== "TEXT" || tokenizerNameOrPath) return { tokenizerNameOrPath };
  if (!baseModelNameOrPath)
    warn('"tokenizerNameOrPath" is missing and the base has no name: PEFT cannot load this adapter without it');
  return { tokenizerNameOrPath: baseModelNameOrPath };
}
