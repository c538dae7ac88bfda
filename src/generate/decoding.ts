/** A model in the middle of writing: what it has read and written is kept, so that a new token costs one row. */

import type { CrossCache } from "../nn/pass/cross-attention.ts";
import type { KvCache } from "../nn/pass/kv-cache.ts";
import type { PassOptions } from "../nn/pass/pass.ts";
import { concatenate } from "../nn/pass/sequences.ts";
import { CausalLM } from "../nn/tasks/causal-lm.ts";
import type { Seq2SeqLM } from "../nn/tasks/seq2seq-lm.ts";
import { Tape } from "../tape/tape.ts";
import type { PrefixCache } from "./prefix-cache.ts";

/** A model that writes. */
export type Writer = CausalLM | Seq2SeqLM;

/** Runs a pass over a sequence of each of these prompts, by their numbers: see `PeftModel.pin`. */
export type RunPass = <T>(pass: (options: PassOptions) => T, prompts: readonly number[]) => T;

/** A prompt, or a source of an encoder-decoder, and the most tokens that are written for it. */
export interface PromptRoom {
  readonly inputIds: readonly number[];
  readonly room: number;
  /** By which `run` knows it; its place in the list by default. */
  readonly number?: number;
}

export interface DecodingOptions {
  /** How many are written side by side for each prompt. */
  readonly sequences?: number;
  /** What targets of an encoder-decoder begin from, where it is not what the model says. */
  readonly startTokenId?: number | null;
  /** Every pass of the model goes through it. */
  readonly run?: RunPass;
  /** Keeps what is read of prompts for the next decoding. `acting` is all that a prompt's rows depend on besides the model. */
  readonly prefix?: { readonly cache: PrefixCache; readonly acting: (prompt: number) => readonly unknown[] } | null;
}

/**
 * Sequences that are written side by side in one pass, as many for each prompt. Those of prompt p are at first numbers
 * p · sequences to (p + 1) · sequences; `reorder` gives new numbers.
 */
export class Decoding {
  readonly #model: Writer;
  readonly #prompts: readonly PromptRoom[];
  readonly #options: DecodingOptions;
  readonly #run: RunPass;
  readonly #cache: KvCache;
  /** What cross-attention reads. */
  #source: CrossCache | null = null;
  /** The prompt of each sequence. */
  #promptOf: readonly number[];
  /** The bytes that a step of these sequences takes. */
  #planned: number | null = null;

  constructor(model: Writer, prompts: readonly PromptRoom[], options: DecodingOptions = {}) {
    const { sequences = 1, run = (pass) => pass({}) } = options;
    this.#model = model;
    this.#prompts = prompts;
    this.#options = options;
    this.#run = (pass, own) =>
      run(
        pass,
        own.map((p) => prompts[p]!.number ?? p),
      );
    this.#promptOf = prompts.flatMap((_, p) => Array.from({ length: sequences }, () => p));
    // Virtual tokens differ with the adapter of a prompt: the cache is made for the one that needs the most rows.
    const tokens = ({ inputIds, room }: PromptRoom) => (model instanceof CausalLM ? inputIds.length : 1) + room;
    const rows = prompts.map((prompt, p) => tokens(prompt) + this.#run(() => model.virtualLength("decoder"), [p]));
    const longest = rows.indexOf(Math.max(...rows));
    this.#cache = this.#run(() => model.cache(tokens(prompts[longest]!), this.#promptOf.length), [longest]);
  }

  /** Reads prompt p, once for all of its sequences, and returns the logits [V] after it. */
  begin(p: number): Float32Array {
    const model = this.#model;
    const { inputIds, number = p } = this.#prompts[p]!;
    const { startTokenId = null, prefix = null } = this.#options;
    const own = this.#promptOf.flatMap((prompt, s) => (prompt === p ? [s] : []));
    if (!(model instanceof CausalLM)) this.#source ??= this.#encode(model);
    const ids = model instanceof CausalLM ? inputIds : [startTokenId ?? model.decoderStartTokenId];
    return this.#run(
      (options) => {
        const read = (rest: readonly number[], cache: KvCache) =>
          this.#logits([rest], [p], { ...options, cache }, false);
        if (prefix !== null && model instanceof CausalLM) {
          const { logits, cache } = prefix.cache.read(model, ids, prefix.acting(number), read);
          this.#cache.beginWith(cache, own);
          return logits;
        }
        using once = model.cache(ids.length);
        const logits = read(ids, once);
        this.#cache.beginWith(once, own);
        return logits;
      },
      [p],
    );
  }

  /** Encodes all sources. */
  #encode(model: Seq2SeqLM): CrossCache {
    const all = this.#prompts.map((_, p) => p);
    const sources = concatenate(this.#prompts.map(({ inputIds }) => inputIds));
    return this.#run((options) => model.encode(sources, options), all);
  }

  /** Adds one id to each sequence and returns the logits [sequences · V] after it. */
  step(ids: readonly number[]): Float32Array {
    const one = ids.map((id) => [id]);
    return this.#run(
      (options) => this.#logits(one, this.#promptOf, { ...options, cache: this.#cache }, true),
      this.#promptOf,
    );
  }

  /** Sequence s of those that go on continues what sequence `parents[s]` has: never more than there were at first. */
  reorder(parents: readonly number[]): void {
    this.#cache.reorder(parents);
    if (parents.some((parent, s) => parent !== s) || parents.length < this.#promptOf.length) this.#planned = null;
    this.#promptOf = parents.map((parent) => this.#promptOf[parent]!);
  }

  /** Logits after the last of each of these ids. Steps take the same memory as long as their sequences are the same. */
  #logits(ids: readonly (readonly number[])[], prompts: readonly number[], options: PassOptions, isStep: boolean) {
    const model = this.#model;
    const source = this.#source;
    const batch = concatenate(ids);
    if (source !== null) source.sourceOf = (s) => prompts[s]!;
    const run = (tape: Tape) =>
      tape.download(
        model instanceof CausalLM
          ? model.lastLogits(tape, batch, options)
          : model.lastLogits(tape, batch, source!, options),
      );
    if (!isStep) return Tape.once(model.engine, {}, run);
    this.#planned ??= Tape.plan(model.engine, {}, run);
    return Tape.run(model.engine, this.#planned, {}, run);
  }

  [Symbol.dispose](): void {
    this.#cache.dispose();
    this.#source?.dispose();
  }
}
