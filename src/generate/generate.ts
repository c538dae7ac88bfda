/** Continues a prompt, or answers a source: one token at a time, keeping keys and values. */
import { FormatError, StateError, UnsupportedError } from "../core/errors.ts";
import { completeOptions, option, orNull, type ValuesOf } from "../core/options.ts";
import { Philox } from "../core/philox.ts";
import { shownValue } from "../core/whole-numbers.ts";
import { CausalLM } from "../nn/tasks/causal-lm.ts";
import type { Model } from "../nn/tasks/model.ts";
import { Seq2SeqLM } from "../nn/tasks/seq2seq-lm.ts";
import { type Beam, BeamSearch } from "./beam-search.ts";
import { Decoding, type RunPass, type Writer } from "./decoding.ts";
import { eachToken } from "./each-token.ts";
import { type GenerationSettings, settingsOf } from "./generation-config.ts";
import { generationOptions, idOrIds } from "./generation-options.ts";
import type { LogitsProcessor } from "./logits-processor.ts";
import { processorsOf } from "./processors.ts";
import { argmax, sample } from "./sample.ts";
import { type Decodes, stopStringTest } from "./stop-strings.ts";

/** How the next token is chosen, when to stop, and who sees the tokens. */
export interface GenerateOptions extends Partial<ValuesOf<typeof generationOptions>> {
  /** Ids that end the text. They are part of the result. By default those of generation_config.json or else config.json; null is none. */
  readonly eosTokenId?: number | readonly number[] | null;
  /** Called with each new id as soon as it is known; at the end in beam search. */
  readonly onToken?: (id: number) => void;
  /** Ends the text early, at the next token; the tokens so far are returned. */
  readonly signal?: AbortSignal;
  /** The model's tokenizer: needed for `stopStrings`. */
  readonly tokenizer?: Decodes;
  /** Change scores after those that the options ask for, and before sampling. */
  readonly logitsProcessor?: readonly LogitsProcessor[];
  /** The adapter of the prompt, "__base__" for none, whatever is active: one name, since there is one prompt. */
  readonly adapterNames?: readonly string[];
}

/** A model that writes, or one with adapters on it. */
export type GenerationModel = Model | { readonly base: Model; pin?(adapterNames?: readonly string[]): RunPass };

const isFunction = (value: unknown) => typeof value === "function";
const hasDecode = (value: unknown) => isFunction((value as Partial<Decodes> | null)?.decode);

/** What only a caller can give. */
const callOptions = {
  eosTokenId: idOrIds({}),
  onToken: orNull(option<unknown>(null, "a function", isFunction)),
  signal: orNull(option<unknown>(null, "an AbortSignal", (value) => value instanceof AbortSignal)),
  tokenizer: orNull(option<unknown>(null, "a tokenizer", hasDecode)),
  logitsProcessor: orNull(
    option<unknown>(null, "a list of functions", (value) => Array.isArray(value) && value.every(isFunction)),
  ),
  adapterNames: orNull(
    option<unknown>(
      null,
      "a list of one name, that of the prompt's adapter",
      (value) => Array.isArray(value) && value.length === 1 && typeof value[0] === "string",
    ),
  ),
};

/** See load-generate.ts, by which users reach it. */
export async function generate(
  model: GenerationModel,
  inputIds: readonly number[],
  options: GenerateOptions = {},
): Promise<number[]> {
  const writing = begin(model, inputIds, options);
  const { onToken } = options;
  if (writing.room <= 0) return [];
  if (writing.settings.numBeams === 1) {
    const made: number[] = [];
    for await (const id of tokens(writing)) {
      made.push(id);
      onToken?.(id);
    }
    return made;
  }
  const { ids } = await search(writing);
  for (const id of ids) onToken?.(id);
  return [...ids];
}

/** The same, id by id: of beam search all at the end. */
export async function* generateTokens(
  model: GenerationModel,
  inputIds: readonly number[],
  options: GenerateOptions = {},
): AsyncGenerator<number, void> {
  const writing = begin(model, inputIds, options);
  if (writing.room <= 0) return;
  if (writing.settings.numBeams === 1) yield* tokens(writing);
  else yield* (await search(writing)).ids;
}

/** The best sequence that beam search finds, without the start token, and its score. */
export async function searchBeams(
  model: GenerationModel,
  inputIds: readonly number[],
  room: number,
  options: GenerateOptions,
): Promise<Beam> {
  return search({ ...begin(model, inputIds, { ...options, doSample: false }), room });
}

/** A text that is being written. */
interface Writing {
  readonly writer: Writer;
  readonly inputIds: readonly number[];
  /** What stands before the first new token: the prompt, or the start token of an encoder-decoder. */
  readonly prefix: readonly number[];
  /** The most tokens to write. */
  readonly room: number;
  readonly settings: GenerationSettings;
  readonly process: LogitsProcessor;
  /** Whether a string ends the text that is made of all these ids. */
  readonly hasStopString: (ids: readonly number[]) => boolean;
  readonly run: RunPass;
  readonly signal: AbortSignal | undefined;
}

function begin(model: GenerationModel, inputIds: readonly number[], options: GenerateOptions): Writing {
  const { eosTokenId, onToken, signal, tokenizer, logitsProcessor, adapterNames, ...given } = options;
  completeOptions("generate", { ...generationOptions, ...callOptions }, options as Record<string, unknown>);
  const writer = writerOf(model);
  expectIds(inputIds, writer.vocabSize);
  const settings = settingsOf(writer, { ...given, ...(eosTokenId !== undefined && { eosTokenId }) });
  if (settings.numBeams > 1) expectBeams(writer, settings);
  const run = pinned(model, writer, adapterNames);
  const start = settings.decoderStartTokenId;
  const prefix = writer instanceof CausalLM ? [...inputIds] : [start ?? writer.decoderStartTokenId];
  const room = roomOf(writer, prefix.length, settings, run);
  const processors = processorsOf(settings, { source: inputIds, begin: prefix.length, room }, logitsProcessor ?? []);
  return {
    ...{ writer, inputIds: [...inputIds], prefix, room, settings, run, signal },
    process: (ids, scores) => {
      for (const processor of processors) processor(ids, scores);
    },
    hasStopString: stopTest(settings, tokenizer),
  };
}

function stopTest(
  { stopStrings }: GenerationSettings,
  tokenizer: GenerateOptions["tokenizer"],
): Writing["hasStopString"] {
  const strings = [stopStrings ?? []].flat();
  if (strings.length === 0) return () => false;
  if (tokenizer) return stopStringTest(strings, tokenizer);
  throw new StateError(
    `generate: stop strings ${JSON.stringify(strings)} need the tokenizer; give it as the option "tokenizer"`,
  );
}

/** How many tokens fit. */
function roomOf(
  writer: Writer,
  begin: number,
  { maxNewTokens, countsNew, maxLength }: GenerationSettings,
  run: RunPass,
): number {
  const context = writer instanceof CausalLM ? run(() => writer.contextLength) - begin : Number.POSITIVE_INFINITY;
  if (countsNew) return Math.min(maxNewTokens, context);
  if (maxLength! > begin) return Math.min(maxLength! - begin, context);
  throw new FormatError(
    `generate: the prompt has ${begin} tokens, and "maxLength" (max_length) is ${maxLength}, expected more; or give maxNewTokens`,
  );
}

function writerOf(model: GenerationModel): Writer {
  const base = "base" in model ? model.base : model;
  if (base instanceof CausalLM || base instanceof Seq2SeqLM) return base;
  throw new UnsupportedError(
    `generate: ${base.architecture} cannot generate text; load the model with AutoModelForCausalLM or AutoModelForSeq2SeqLM`,
  );
}

function expectIds(inputIds: unknown, vocabSize: number): void {
  const isList = Array.isArray(inputIds) || inputIds instanceof Int32Array;
  if (!isList) {
    const found = typeof inputIds === "string" ? "a string" : inputIds === null ? "null" : `an ${typeof inputIds}`;
    const names = typeof inputIds === "object" && inputIds !== null && "inputIds" in inputIds;
    const advice = names ? "give its inputIds" : "such as tokenizer.encode(text)";
    throw new FormatError(`generate: the prompt is ${found}, expected a list of token ids: ${advice}`);
  }
  const at = (inputIds as number[]).findIndex((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (at >= 0) {
    throw new FormatError(
      `generate: the prompt has ${shownValue(inputIds[at])}, expected token ids: whole numbers from 0 to ${vocabSize - 1}`,
    );
  }
  if (inputIds.length > 0) return;
  throw new FormatError("generate: the prompt has no tokens, expected at least the beginning-of-sequence token");
}

/** Runs passes with the adapters that are active now. Throws StateError once the model is no longer as it was at the beginning. */
function pinned(model: GenerationModel, writer: Writer, adapterNames: readonly string[] | undefined): RunPass {
  const pin = "base" in model ? model.pin?.bind(model) : undefined;
  if (adapterNames !== undefined && pin === undefined) {
    throw new StateError(`generate: "adapterNames" is given, but the model has no adapters`);
  }
  const run: RunPass = pin?.(adapterNames) ?? ((pass) => pass());
  const params = [...writer.namedWeights().values()].filter((weight) => weight.kind === "param");
  const updates = () => params.reduce((sum, param) => sum + param.updates, 0);
  const before = updates();
  const { adapterChanges } = writer;
  return (pass) => {
    if (pin === undefined && writer.adapterChanges !== adapterChanges) {
      throw new StateError(
        "generate: other adapters became active on the model while it generated; give generate the PeftModel, which keeps to its own",
      );
    }
    if (writer.disposed) throw new StateError("generate: the model was disposed of while it generated");
    if (updates() === before) return run(pass);
    throw new StateError("generate: the model was trained while it generated; generate before training or after it");
  };
}

/** One sequence, each token the likeliest or drawn. */
async function* tokens(writing: Writing): AsyncGenerator<number, void> {
  const { writer, inputIds, prefix, room, settings, process, hasStopString, run, signal } = writing;
  const random = new Philox(settings.seed);
  const ids = [...prefix];
  const nextTurn = eachToken();
  using decoding = new Decoding(writer, inputIds, room, { run, startTokenId: settings.decoderStartTokenId });
  let scores = decoding.begin();
  while (true) {
    expectNumbers(scores, ids.length - prefix.length, settings);
    process(ids, scores);
    expectChoice(scores, ids.length - prefix.length);
    const id = settings.doSample ? sample(scores, random) : argmax(scores);
    ids.push(id);
    yield id;
    const isFull = ids.length - prefix.length === room;
    if (isFull || settings.stops.has(id) || hasStopString(ids) || signal?.aborted) return;
    await nextTurn();
    if (signal?.aborted) return;
    scores = decoding.step([id]);
  }
}

async function search(writing: Writing): Promise<Beam> {
  const { writer, inputIds, prefix, room, settings, process, hasStopString, run, signal } = writing;
  const { numBeams, lengthPenalty, earlyStopping, stops, decoderStartTokenId: startTokenId } = settings;
  const search = new BeamSearch({
    ...{ numBeams, lengthPenalty, earlyStopping, room, stops },
    process: (ids, scores) => process([...prefix, ...ids], scores),
    isEnded: (ids) => hasStopString([...prefix, ...ids]),
  });
  const nextTurn = eachToken();
  using decoding = new Decoding(writer, inputIds, room, { sequences: numBeams, run, startTokenId });
  let parents = search.advance(expectNumbers(decoding.begin(), 0, settings));
  for (let length = 1; parents !== null && !signal?.aborted; length++) {
    await nextTurn();
    decoding.reorder(parents);
    parents = search.advance(expectNumbers(decoding.step(search.lastIds), length, settings));
  }
  return search.best;
}

function expectBeams({ vocabSize }: Writer, { numBeams, stops }: GenerationSettings): void {
  const most = vocabSize - stops.size;
  if (numBeams <= most) return;
  throw new FormatError(`generate: "numBeams" is ${numBeams}, expected a whole number from 1 to ${most}`);
}

function expectNumbers(logits: Float32Array, made: number, { removeInvalidValues }: GenerationSettings): Float32Array {
  if (removeInvalidValues || !logits.some(Number.isNaN)) return logits;
  throw new StateError(
    `generate: logits of token ${made + 1} are NaN, expected numbers: weights or adapter are broken`,
  );
}

function expectChoice(scores: Float32Array, made: number): void {
  if (scores.some((score) => score > Number.NEGATIVE_INFINITY)) return;
  throw new StateError(
    `generate: the options forbid every token at token ${made + 1}, expected at least one to choose`,
  );
}
