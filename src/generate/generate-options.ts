/** What `generate` and `stream` take, and what they give. */
import { oneOf, option, orNull, type ValuesOf } from "../core/options.ts";
import type { Model } from "../nn/tasks/model.ts";
import type { RunPass } from "./decoding.ts";
import { type generationOptions, idOrIds } from "./generation-options.ts";
import type { JsonSchema } from "./json/json-schema.ts";
import type { TokenBytes } from "./json/token-mask.ts";
import { PrefixCache } from "./prefix-cache.ts";
import type { LogitsProcessor } from "./processors/logits-processor.ts";
import type { LogProbKind } from "./search/search.ts";
import type { Decodes } from "./stop-strings.ts";

/** How the next token is chosen, when to stop, and who sees the tokens. */
export interface GenerateOptions extends Partial<ValuesOf<typeof generationOptions>> {
  /** Ids that end the text. They are part of the result. By default those of generation_config.json or else config.json; null is none. */
  readonly eosTokenId?: number | readonly number[] | null;
  /** Called with each new id as soon as it is known, and the number of its text among the results; at the end in beam search. */
  readonly onToken?: (id: number, text: number) => void;
  /** Ends the texts early, at the next token; the tokens so far are returned. */
  readonly signal?: AbortSignal;
  /** The model's tokenizer: needed for `stopStrings` and `jsonSchema`. */
  readonly tokenizer?: Decodes & Partial<TokenBytes>;
  /** Functions that change scores in place, after what the options ask for, and before sampling: transformers' `logits_processor`. */
  readonly logitsProcessor?: readonly LogitsProcessor[];
  /**
   * The text is JSON of this schema, token by token: see `jsonSchema` in docs/guides/generate.md for the keywords. It is cut where the
   * most new tokens are reached.
   */
  readonly jsonSchema?: JsonSchema;
  /** The adapter of each prompt, "__base__" for none, whatever is active. */
  readonly adapterNames?: readonly string[];
  /** Keeps what is read of the prompt for the next call. */
  readonly prefixCache?: PrefixCache;
}

/** Options of a call that returns log-probabilities with the texts. */
export interface ScoredOptions extends GenerateOptions {
  /**
   * Which log-probabilities are returned with the texts: "raw" ones of the model's own logits, or "processed" ones of the scores that
   * tokens are chosen by, after processors, temperature and filters, as `compute_transition_scores` of transformers has them.
   */
  readonly outputLogProbs: LogProbKind;
}

/** Texts with their log-probabilities. */
export interface GenerateOutput {
  /** The new ids of each text: those of the first prompt first. */
  readonly sequences: number[][];
  /** The log-probability of each of these ids. */
  readonly logProbs: number[][];
  /** Of beam search: the score of each text, Σ log p / length^lengthPenalty. null otherwise. */
  readonly sequencesScores: number[] | null;
}

/** The ids of a text. */
export type TokenIds = readonly number[] | Int32Array;

/** A model that writes, or one with adapters on it. */
export type GenerationModel = Model | AdaptedModel;

/** A model with adapters, as generation knows it. */
export interface AdaptedModel {
  readonly base: Model;
  pin?(adapterNames?: readonly string[]): PinnedPass;
}

/** Passes with certain adapters: see `PeftModel.pin`. */
export interface PinnedPass {
  readonly run: RunPass;
  /** What the rows of a prompt depend on besides the base: the same things mean the same rows. */
  acting(prompt: number): readonly unknown[];
}

const isFunction = (value: unknown) => typeof value === "function";
const hasDecode = (value: unknown) => isFunction((value as Partial<Decodes> | null)?.decode);
const isNames = (value: unknown) =>
  Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === "string");
const isSchema = (value: unknown) => typeof value === "boolean" || (typeof value === "object" && !Array.isArray(value));

/** What only a caller can give. */
export const callOptions = {
  eosTokenId: idOrIds({}),
  onToken: orNull(option<unknown>(null, "a function", isFunction)),
  signal: orNull(option<unknown>(null, "an AbortSignal", (value) => value instanceof AbortSignal)),
  tokenizer: orNull(option<unknown>(null, "a tokenizer", hasDecode)),
  logitsProcessor: orNull(
    option<unknown>(null, "a list of functions", (value) => Array.isArray(value) && value.every(isFunction)),
  ),
  jsonSchema: orNull(option<unknown>(null, "a JSON schema: an object", isSchema)),
  adapterNames: orNull(option<unknown>(null, "a list of names, one for each prompt", isNames)),
  prefixCache: orNull(option<unknown>(null, "a PrefixCache", (value) => value instanceof PrefixCache)),
  outputLogProbs: orNull(oneOf(["raw", "processed"], "raw")),
};
