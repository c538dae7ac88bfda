/** Continues a prompt, or answers a source: one token at a time, keeping keys and values. */
import { FormatError, StateError, UnsupportedError } from "../core/errors.ts";
import { completeOptions, type ValuesOf } from "../core/options.ts";
import { Philox } from "../core/philox.ts";
import { CausalLM } from "../nn/tasks/causal-lm.ts";
import type { Model } from "../nn/tasks/model.ts";
import { Seq2SeqLM } from "../nn/tasks/seq2seq-lm.ts";
import { type Beam, BeamSearch } from "./beam-search.ts";
import { Decoding, type Writer } from "./decoding.ts";
import { generationOptions } from "./generation-options.ts";
import { sample } from "./sample.ts";

/** How the next token is chosen, when to stop, and who sees the tokens. */
export interface GenerateOptions extends Partial<ValuesOf<typeof generationOptions>> {
  /** Ids that end the text. They are part of the result. By default the config's `eos_token_id`; null is none. */
  readonly eosTokenId?: number | readonly number[] | null;
  /** Called with each new id as soon as it is known; at the end in beam search. */
  readonly onToken?: (id: number) => void;
  /** Ends the text early; the tokens so far are returned. */
  readonly signal?: AbortSignal;
}

/** See load-generate.ts, by which users reach it. */
export async function generate(
  model: Model | { readonly base: Model },
  inputIds: readonly number[],
  options: GenerateOptions = {},
): Promise<number[]> {
  const { maxNewTokens, numBeams } = checked(options);
  const { onToken } = options;
  const writer = writerOf(model);
  if (inputIds.length === 0) {
    throw new FormatError("generate: the prompt has no tokens, expected at least the beginning-of-sequence token");
  }
  const room = Math.min(maxNewTokens, writer instanceof CausalLM ? writer.contextLength - inputIds.length : Infinity);
  if (room <= 0) return [];
  if (numBeams === 1) return writeOne(writer, inputIds, room, options);
  const { ids } = await searchBeams(writer, inputIds, room, options);
  for (const id of ids) onToken?.(id);
  return [...ids];
}

/** The options with their defaults. Throws FormatError that lists every unknown or wrong one. */
function checked({ eosTokenId, onToken, signal, ...given }: GenerateOptions): ValuesOf<typeof generationOptions> {
  return completeOptions("generate", generationOptions, given);
}

function writerOf(model: Model | { readonly base: Model }): Writer {
  const base = "base" in model ? model.base : model;
  if (base instanceof CausalLM || base instanceof Seq2SeqLM) return base;
  throw new UnsupportedError(
    `generate: ${base.architecture} cannot generate text; load the model with AutoModelForCausalLM or AutoModelForSeq2SeqLM`,
  );
}

/** One sequence, each token the likeliest or drawn. */
async function writeOne(
  model: Writer,
  inputIds: readonly number[],
  room: number,
  options: GenerateOptions,
): Promise<number[]> {
  const { onToken, signal } = options;
  const stops = stopsOf(model, options);
  const sampling = checked(options);
  const random = new Philox(sampling.seed);
  const made: number[] = [];
  using decoding = new Decoding(model, inputIds, room);
  let logits = decoding.begin();
  while (true) {
    const id = sample(expectNumbers(logits, made.length), sampling, random);
    made.push(id);
    onToken?.(id);
    if (made.length === room || stops.has(id) || signal?.aborted) return made;
    await rest(made.length);
    logits = decoding.step([id]);
  }
}

/** The best sequence that beam search finds, without the start token, and its score. */
export async function searchBeams(
  model: Writer,
  inputIds: readonly number[],
  room: number,
  options: GenerateOptions,
): Promise<Beam> {
  const { numBeams, lengthPenalty, earlyStopping } = checked(options);
  const { signal } = options;
  const stops = stopsOf(model, options);
  expectBeams(model, stops.size, options);
  const search = new BeamSearch({ numBeams, lengthPenalty, earlyStopping, room, stops });
  using decoding = new Decoding(model, inputIds, room, numBeams);
  let parents = search.advance(expectNumbers(decoding.begin(), 0));
  for (let length = 1; parents !== null && !signal?.aborted; length++) {
    await rest(length);
    decoding.reorder(parents);
    parents = search.advance(expectNumbers(decoding.step(search.lastIds), length));
  }
  return search.best;
}

function stopsOf({ config }: Writer, { eosTokenId }: GenerateOptions): ReadonlySet<number> {
  const ends = eosTokenId === undefined ? (config.eos_token_id as GenerateOptions["eosTokenId"]) : eosTokenId;
  return new Set([ends ?? []].flat());
}

function expectBeams(
  { vocabSize }: Writer,
  stops: number,
  { numBeams = 1, temperature, topK, topP }: GenerateOptions,
): void {
  const most = vocabSize - stops;
  if (numBeams > most) {
    throw new FormatError(`generate: "numBeams" is ${numBeams}, expected a whole number from 1 to ${most}`);
  }
  if ((temperature ?? 0) === 0 && topK === undefined && topP === undefined) return;
  throw new UnsupportedError(
    "generate: beam search does not sample; leave out temperature, topK and topP, or use numBeams 1",
  );
}

function expectNumbers(logits: Float32Array, made: number): Float32Array {
  if (!logits.some(Number.isNaN)) return logits;
  throw new StateError(
    `generate: logits of token ${made + 1} are NaN, expected numbers: weights or adapter are broken`,
  );
}

/** Lets timers, signals and other work of the program run now and then. */
async function rest(count: number): Promise<void> {
  if (count % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
}
