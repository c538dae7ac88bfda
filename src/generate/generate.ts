/** Writes on from a prompt, one token at a time, with a key-value cache. */
import { FormatError, StateError } from "../core/errors.ts";
import { Philox } from "../core/philox.ts";
import type { KvCache } from "../nn/kv-cache.ts";
import type { PassOptions } from "../nn/pass.ts";
import { concatenate, type Sequences } from "../nn/sequences.ts";
import { Tape, type Value } from "../tape/tape.ts";
import type { Engine } from "../wasm/engine.ts";
import { type SamplingOptions, sample } from "./sample.ts";

/** A model that can be decoded: a CausalLM, or a PeftModel around one. */
export interface Decodable {
  readonly engine: Engine;
  readonly contextLength: number;
  cache(capacity: number, sequences?: number): KvCache;
  logits(tape: Tape, sequences: Sequences, rows?: Int32Array, options?: PassOptions): Value;
}

/** How the next token is chosen, when to stop, and who is told. */
export interface GenerateOptions extends SamplingOptions {
  /** At most this many tokens; fewer when a stop token comes or the context is full. */
  readonly maxNewTokens?: number;
  /** Ids that end the text. They are part of the result. */
  readonly eosTokenId?: number | readonly number[] | null;
  /** Decides every draw when temperature is above 0. */
  readonly seed?: number;
  /** Called with each new id as soon as it is known. */
  readonly onToken?: (id: number) => void;
  /** Ends the text early; what there is so far is returned. */
  readonly signal?: AbortSignal;
}

/**
 * The ids that follow `inputIds` (without them).
 *
 * @example
 * const ids = await generate(model, tokenizer.encode("Call me"), { maxNewTokens: 50, temperature: 0 });
 */
export async function generate(
  model: Decodable,
  inputIds: readonly number[],
  options: GenerateOptions = {},
): Promise<number[]> {
  const { maxNewTokens = 128, eosTokenId = null, seed = 0, onToken, signal } = options;
  if (inputIds.length === 0) {
    throw new FormatError("generate: the prompt has no tokens, expected at least the beginning-of-sequence token");
  }
  const room = Math.min(maxNewTokens, model.contextLength - inputIds.length);
  const stops = new Set(eosTokenId === null ? [] : [eosTokenId].flat());
  const random = new Philox(seed);
  const made: number[] = [];
  if (room <= 0) return made;
  using decoder = new Decoding(model, inputIds.length + room);
  let logits = decoder.step(inputIds);
  while (true) {
    if (logits.some(Number.isNaN)) {
      throw new StateError(
        `generate: logits of token ${made.length + 1} are NaN, expected numbers: weights or adapter are broken`,
      );
    }
    const id = sample(logits, options, random);
    made.push(id);
    onToken?.(id);
    if (made.length === room || stops.has(id) || signal?.aborted) return made;
    await rest(made.length);
    logits = decoder.step([id]);
  }
}

/** A cache and the working memory of its steps. */
class Decoding {
  readonly #model: Decodable;
  readonly #cache: KvCache;
  #planned: { tokens: number; bytes: number } | null = null;

  constructor(model: Decodable, capacity: number) {
    this.#model = model;
    this.#cache = model.cache(capacity);
  }

  /** Logits after the last of `ids`, which are added to the cache. */
  step(ids: readonly number[]): Float32Array {
    const { engine } = this.#model;
    const run = (tape: Tape) => {
      const last = Int32Array.of(ids.length - 1);
      return tape.download(this.#model.logits(tape, concatenate([ids]), last, { cache: this.#cache }));
    };
    if (this.#planned?.tokens !== ids.length) this.#planned = { tokens: ids.length, bytes: Tape.plan(engine, {}, run) };
    return Tape.run(engine, this.#planned.bytes, {}, run);
  }

  [Symbol.dispose](): void {
    this.#cache.dispose();
  }
}

/** Lets timers, signals and other work of the program run now and then. */
async function rest(count: number): Promise<void> {
  if (count % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
}
