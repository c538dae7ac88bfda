/** Makes of a call's arguments what is to be written. */
import { FormatError, StateError, UnsupportedError } from "../core/errors.ts";
import { completeOptions } from "../core/options.ts";
import { Philox } from "../core/random/philox.ts";
import { CausalLM } from "../nn/tasks/causal-lm.ts";
import { Seq2SeqLM } from "../nn/tasks/seq2seq-lm.ts";
import type { DecodingOptions, PromptRoom, Writer } from "./decoding.ts";
import { callOptions, type GenerateOptions, type GenerationModel, type TokenIds } from "./generate-options.ts";
import { type GenerationSettings, settingsOf } from "./generation-config.ts";
import { generationOptions } from "./generation-options.ts";
import { JsonConstraint } from "./json/json-constraint.ts";
import { pinned } from "./pinned.ts";
import { processorsOf } from "./processors-of.ts";
import { promptsOf } from "./prompts.ts";
import { BeamSearch } from "./search/beam-search.ts";
import type { LogProbKind, Search, SearchOptions } from "./search/search.ts";
import { TokenSearch } from "./search/token-search.ts";
import { stopStringTest } from "./stop-strings.ts";

/** A prompt, and what is written for it; null where there is no room for a token. */
export interface PromptSearch extends PromptRoom {
  readonly search: Search | null;
  /** Whether its rows do not depend on other sequences of a batch. */
  readonly isSteady: boolean;
}

/** Texts that are being written. */
export interface Writing {
  readonly writer: Writer;
  readonly prompts: readonly PromptSearch[];
  readonly settings: GenerationSettings;
  readonly decoding: DecodingOptions & { readonly sequences: number };
  readonly signal: AbortSignal | undefined;
}

/** Throws an error of the library that names what is wrong. */
export function begin(
  model: GenerationModel,
  inputIds: TokenIds | readonly TokenIds[],
  options: GenerateOptions & { readonly outputLogProbs?: LogProbKind },
): Writing {
  completeOptions("generate", { ...generationOptions, ...callOptions }, options as Record<string, unknown>);
  const {
    eosTokenId,
    onToken,
    signal,
    tokenizer,
    logitsProcessor,
    jsonSchema,
    adapterNames,
    prefixCache,
    outputLogProbs,
    ...given
  } = options;
  const writer = writerOf(model);
  const prompts = promptsOf(inputIds, writer.vocabSize);
  const settings = settingsOf(writer, { ...given, ...(eosTokenId !== undefined && { eosTokenId }) });
  const { numBeams, numReturnSequences, doSample, seed, decoderStartTokenId: start } = settings;
  if (numBeams > 1) expectBeams(writer, settings);
  expectNames(adapterNames, prompts.length);
  const { run, acting } = pinned(model, writer, adapterNames ?? undefined);
  const hasStopString = stopTest(settings, tokenizer);
  const json = jsonSchema === undefined || jsonSchema === null ? null : constraint(jsonSchema, tokenizer, settings);
  const searchFor = (source: readonly number[], number: number): PromptSearch => {
    const { contextLength, steadyLength } = run(() => limitsOf(writer), [number]); // an adapter's virtual tokens count
    const prefix = writer instanceof CausalLM ? source : [start ?? writer.decoderStartTokenId];
    const context = writer instanceof CausalLM ? contextLength - prefix.length : Number.POSITIVE_INFINITY;
    const room = roomOf(prefix.length, settings, context);
    if (room <= 0) return { inputIds: source, room: 0, search: null, isSteady: true };
    const own = [...(logitsProcessor ?? []), ...(json === null ? [] : [json.processor(prefix.length)])];
    const processors = processorsOf(settings, { source, begin: prefix.length, room }, own);
    const searchOptions: SearchOptions = {
      ...{ room, stops: settings.stops, logProbs: outputLogProbs ?? null },
      process: (ids, scores) => {
        const all = [...prefix, ...ids];
        for (const processor of processors) processor(all, scores);
      },
      isEnded: (ids) => hasStopString([...prefix, ...ids]) || (json?.isComplete(ids) ?? false),
    };
    const randomOf = (text: number) => (doSample ? new Philox(seed + text) : null);
    const search =
      numBeams > 1
        ? new BeamSearch({ ...searchOptions, ...settings, wanted: numReturnSequences, random: randomOf(0) })
        : new TokenSearch({
            ...searchOptions,
            randoms: Array.from({ length: numReturnSequences }, (_, text) => randomOf(text)),
          });
    return { inputIds: source, room, search, isSteady: source.length + room <= steadyLength };
  };
  const sequences = numBeams > 1 ? numBeams : numReturnSequences;
  const prefix = prefixCache ? { cache: prefixCache, acting } : null;
  if (prefix !== null && !(writer instanceof CausalLM))
    throw new UnsupportedError(
      `generate: "prefixCache" keeps what a decoder-only model reads, and ${writer.architecture} has an encoder; leave it out`,
    );
  return {
    ...{ writer, settings, signal, prompts: prompts.map(searchFor) },
    decoding: { sequences, run, startTokenId: start, prefix },
  };
}

function limitsOf({ contextLength, steadyLength }: Writer) {
  return { contextLength, steadyLength };
}

function writerOf(model: GenerationModel): Writer {
  const base = "base" in model ? model.base : model;
  if (base instanceof CausalLM || base instanceof Seq2SeqLM) return base;
  throw new UnsupportedError(
    `generate: ${base.architecture} cannot generate text; load the model with AutoModelForCausalLM or AutoModelForSeq2SeqLM`,
  );
}

function stopTest(
  { stopStrings }: GenerationSettings,
  tokenizer: GenerateOptions["tokenizer"],
): (ids: readonly number[]) => boolean {
  const strings = [stopStrings ?? []].flat();
  if (strings.length === 0) return () => false;
  if (tokenizer) return stopStringTest(strings, tokenizer);
  throw new StateError(
    `generate: stop strings ${JSON.stringify(strings)} need the tokenizer; give it as the option "tokenizer"`,
  );
}

function constraint(
  schema: NonNullable<GenerateOptions["jsonSchema"]>,
  tokenizer: GenerateOptions["tokenizer"],
  { stops }: GenerationSettings,
): JsonConstraint {
  if (tokenizer?.tokenBytes === undefined)
    throw new StateError('generate: "jsonSchema" needs the tokenizer; give it as the option "tokenizer"');
  return new JsonConstraint(schema, tokenizer as Required<typeof tokenizer>, stops);
}

/** How many tokens fit. */
function roomOf(begin: number, { maxNewTokens, countsNew, maxLength }: GenerationSettings, context: number): number {
  if (countsNew) return Math.min(maxNewTokens, context);
  if (maxLength! > begin) return Math.min(maxLength! - begin, context);
  throw new FormatError(
    `generate: the prompt has ${begin} tokens, and "maxLength" (max_length) is ${maxLength}, expected more; or give maxNewTokens`,
  );
}

function expectNames(adapterNames: readonly string[] | null | undefined, prompts: number): void {
  const names = adapterNames?.length ?? prompts;
  if (names === prompts) return;
  throw new FormatError(
    `generate: "adapterNames" has ${names} ${names === 1 ? "name" : "names"} for ${prompts} ${prompts === 1 ? "prompt" : "prompts"}, expected one for each prompt`,
  );
}

function expectBeams({ vocabSize }: Writer, { numBeams, stops }: GenerationSettings): void {
  const most = vocabSize - stops.size;
  if (numBeams <= most) return;
  throw new FormatError(`generate: "numBeams" is ${numBeams}, expected a whole number from 1 to ${most}`);
}
