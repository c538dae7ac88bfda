/**
 * How texts are generated: options of `generate`, of the commands that write text, and of docs/training-settings.md. Names are those
 * of transformers' GenerationConfig, so that a key of generation_config.json is an option in snake case.
 */
import {
  aboveZero,
  atLeastZero,
  flag,
  number,
  type OptionDetails,
  type Options,
  option,
  orNull,
  whole,
  wholeOrNull,
} from "../core/options.ts";
import type { SequenceBias } from "./processors/token-bans.ts";
import type { EarlyStopping } from "./search/beam-search.ts";

type Ids = readonly number[];

const isId = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isIds = (value: unknown): value is Ids => Array.isArray(value) && value.every(isId);
const isWord = (value: unknown) => isIds(value) && value.length > 0;
const isBias = (value: unknown) =>
  Array.isArray(value) && value.length === 2 && isWord(value[0]) && Number.isFinite(value[1]);
const isListOf = (is: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(is);

/** A list of ids, or null. */
function ids(about: string) {
  return orNull(option<Ids>([], "a list of token ids", isIds, { placeholder: "ids", help: about }));
}

/** One id or several, or null. */
export function idOrIds(about: OptionDetails<number | Ids>) {
  const is = (value: unknown) => isId(value) || isIds(value);
  return orNull(option<number | Ids>([], "a token id or a list of them", is, { placeholder: "ids", ...about }));
}

export const generationOptions = {
  /** The most tokens to generate; fewer when a stop token comes or the context is full. */
  maxNewTokens: whole(128, 1, { help: "the most tokens to generate", alsoSpelled: ["max-tokens"], common: true }),
  /** The most tokens in all: the prompt's, or the start token of an encoder-decoder, and those generated. */
  maxLength: wholeOrNull(1, { help: "the most tokens with the prompt, where the most new tokens are not given" }),
  /** Whether tokens are drawn; by default as the other options and the model's generation_config.json say. */
  doSample: orNull(flag(true, { help: "draw tokens (true), or take the most likely (false)" })),
  /** Logits are divided by it; 0 is greedy: the largest logit wins. */
  temperature: atLeastZero(1, {
    help: "0 always picks the most likely token, 1 samples from the model's probabilities",
    alsoSpelled: ["temp"],
    common: true,
  }),
  /** Only the k largest logits are kept; 0 keeps all. */
  topK: whole(0, 0, { help: "sample from the k most likely tokens only; 0 keeps all", common: true }),
  /** Only the most likely tokens whose probabilities reach this sum are kept (Holtzman et al. 2020); 1 keeps all. */
  topP: number(
    1,
    { help: "sample from the most likely tokens that reach this probability", common: true },
    { least: 0, most: 1 },
  ),
  /** Only tokens at least this share as likely as the likeliest are kept (Nguyen et al. 2024). */
  minP: orNull(
    number(0, { help: "sample from tokens at least this share as likely as the likeliest" }, { least: 0, most: 1 }),
  ),
  /** Only tokens about as surprising as expected are kept, until they reach this sum (Meister et al. 2022); 1 keeps all. */
  typicalP: number(
    1,
    { help: "sample from typical tokens that reach this probability; 1 keeps all" },
    { above: 0, most: 1 },
  ),
  /** Tokens of a smaller probability are not drawn (Hewitt et al. 2022). */
  epsilonCutoff: number(0, { help: "do not sample tokens of a smaller probability" }, { least: 0, most: 1 }),
  /** The same with a bound that follows the entropy (Hewitt et al. 2022). */
  etaCutoff: number(
    0,
    { help: "do not sample tokens below a probability that follows the entropy" },
    { least: 0, most: 1 },
  ),
  /** Determines every draw when the temperature is above 0. */
  seed: whole(0, 0, { help: "seed of the sampling", common: true }),
  /** Above 1 tokens that the prompt or the text has become less likely, below 1 more likely (Keskar et al. 2019). */
  repetitionPenalty: aboveZero(1, { help: "above 1 makes tokens that occurred already less likely" }),
  /** The same for tokens of the source or prompt, which a value above 1 makes more likely. */
  encoderRepetitionPenalty: aboveZero(1, { help: "above 1 makes tokens of the source, or prompt, more likely" }),
  /** No run of as many tokens occurs twice; 0 allows it. */
  noRepeatNgramSize: whole(0, 0, { help: "write no run of as many tokens twice; 0 allows it" }),
  /** No run of as many tokens is taken from the source or prompt; 0 allows it. */
  encoderNoRepeatNgramSize: whole(0, 0, { help: "copy no run of as many tokens from the source, or prompt" }),
  /** Sequences of ids that are not written. */
  badWordsIds: orNull(
    option<readonly Ids[]>([], "a list of lists of token ids", isListOf(isWord), {
      help: "sequences of token ids that are not written",
    }),
  ),
  /** What is added to the score of a token that completes a sequence. */
  sequenceBias: orNull(
    option<readonly SequenceBias[]>([], "a list of pairs [token ids, bias]", isListOf(isBias), {
      help: "what is added to the score of a token that completes a sequence: [[ids, bias], ...]",
    }),
  ),
  /** Ids that are not written. */
  suppressTokens: ids("token ids that are not written"),
  /** Ids that are not written first. */
  beginSuppressTokens: ids("token ids that are not written first"),
  /** The first token after a start token. */
  forcedBosTokenId: wholeOrNull(0, { placeholder: "id", help: "the first token after a start token" }),
  /** The last token, when the text becomes as long as it may. */
  forcedEosTokenId: idOrIds({ help: "the last token of a text that becomes as long as it may" }),
  /** The text does not end before it has this many tokens, the prompt or start token included. */
  minLength: whole(0, 0, { help: "the fewest tokens with the prompt" }),
  /** The text does not end before this many tokens are written. */
  minNewTokens: wholeOrNull(0, { help: "the fewest tokens to generate" }),
  /** [after this many tokens, factor]: the end becomes likelier with each further token. */
  exponentialDecayLengthPenalty: orNull(
    option<readonly [number, number]>(
      [0, 1],
      "a pair of numbers",
      (value) => Array.isArray(value) && value.length === 2 && value.every(Number.isFinite),
      { help: "[after this many tokens, factor]: makes the end likelier with each further token" },
    ),
  ),
  /** Takes NaN among the logits for 0, and infinities for the largest numbers. */
  removeInvalidValues: flag(false, { help: "take NaN among the logits for 0, instead of stopping" }),
  /** Makes log-probabilities of the scores again after all else: in beam search it changes what a sequence counts. */
  renormalizeLogits: flag(false, { help: "for beam search: normalize scores again after all changes" }),
  /** The text ends with the token that completes one of these; it is a part of the result. */
  stopStrings: orNull(
    option<string | readonly string[]>(
      [],
      "a string or a list of strings, none of them empty",
      (value) => [value].flat().every((each) => typeof each === "string" && each !== ""),
      { placeholder: "texts", help: "end the text when it has one of these: a text, or a JSON list" },
    ),
  ),
  /** How many texts are written for each prompt: drawn ones, or the best of beam search. */
  numReturnSequences: whole(1, 1, { help: "write so many texts: drawn ones, or the best of beam search" }),
  /**
   * More than 1 is beam search: this many sequences are written side by side, and the best is returned. With `doSample`, or an option
   * for sampling, they are drawn.
   */
  numBeams: whole(1, 1, { help: "beam search with this many beams; with an option for sampling they are drawn" }),
  /** For beam search: scores are divided by length to this power. Above 0 favors long sequences, below 0 short ones. */
  lengthPenalty: number(1, { help: "for beam search: above 0 favors long texts, below 0 short ones" }),
  /** For beam search: when to stop looking. */
  earlyStopping: option<EarlyStopping>(
    false,
    'true, false or "never"',
    (value) => typeof value === "boolean" || value === "never",
    {
      placeholder: "when",
      help: 'for beam search: stop when there are enough texts (true), when better ones are unlikely (false), or "never" early',
    },
  ),
  /** Whether the model's generation_config.json, or the generation keys of its config.json, are followed. */
  followGenerationConfig: flag(true, {
    spelled: "no-generation-config",
    help: "do not follow the model's generation_config.json",
  }),
} satisfies Options;
