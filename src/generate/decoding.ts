/** A model in the middle of writing: what it has read and written is kept, so that a new token costs one row. */

import type { CrossCache } from "../nn/pass/cross-attention.ts";
import type { KvCache } from "../nn/pass/kv-cache.ts";
import { concatenate, type Sequences } from "../nn/pass/sequences.ts";
import { CausalLM } from "../nn/tasks/causal-lm.ts";
import type { Seq2SeqLM } from "../nn/tasks/seq2seq-lm.ts";
import { Tape, type Value } from "../tape/tape.ts";

/** A model that writes. */
export type Writer = CausalLM | Seq2SeqLM;

/** Runs a pass: see `PeftModel.pin`. */
export type RunPass = <T>(pass: () => T) => T;

export interface DecodingOptions {
  /** How many are written side by side. */
  readonly sequences?: number;
  /** What targets of an encoder-decoder begin from, where it is not what the model says. */
  readonly startTokenId?: number | null;
  /** Every pass of the model goes through it. */
  readonly run?: RunPass;
}

/** Several sequences that begin alike and are written side by side in one pass. */
export class Decoding {
  readonly #model: Writer;
  readonly #inputIds: readonly number[];
  readonly #cache: KvCache;
  /** What cross-attention reads. */
  #source: CrossCache | null = null;
  #planned: number | null = null;
  readonly #start: number | null;
  readonly #run: RunPass;

  /** Sequences that begin with `inputIds`, or that an encoder-decoder makes of them, of up to `room` tokens more. */
  constructor(model: Writer, inputIds: readonly number[], room: number, options: DecodingOptions = {}) {
    const { sequences = 1, startTokenId = null, run = (pass) => pass() } = options;
    this.#model = model;
    this.#inputIds = inputIds;
    this.#start = startTokenId;
    this.#run = run;
    this.#cache = run(() => model.cache((model instanceof CausalLM ? inputIds.length : 1) + room, sequences));
  }

  /** Reads the input, once for all sequences, and returns the logits [V] after it. */
  begin(): Float32Array {
    return this.#run(() => this.#begin());
  }

  #begin(): Float32Array {
    const model = this.#model;
    const ids = model instanceof CausalLM ? this.#inputIds : [this.#start ?? model.decoderStartTokenId];
    if (!(model instanceof CausalLM)) {
      this.#source = model.encode(concatenate([this.#inputIds]));
      this.#source.sourceOf = () => 0;
    }
    using once = model.cache(ids.length);
    const logits = Tape.once(model.engine, {}, (tape) => tape.download(this.#logits(tape, concatenate([ids]), once)));
    this.#cache.beginWith(once);
    return logits;
  }

  /** Adds one id to each sequence and returns the logits [sequences · V] after it. */
  step(ids: readonly number[]): Float32Array {
    return this.#run(() => this.#step(ids));
  }

  #step(ids: readonly number[]): Float32Array {
    const { engine } = this.#model;
    const batch = concatenate(ids.map((id) => [id]));
    const run = (tape: Tape) => tape.download(this.#logits(tape, batch, this.#cache));
    this.#planned ??= Tape.plan(engine, {}, run); // every step takes the same
    return Tape.run(engine, this.#planned, {}, run);
  }

  /** Sequence s continues what sequence `parents[s]` has. */
  reorder(parents: readonly number[]): void {
    this.#cache.reorder(parents);
  }

  #logits(tape: Tape, ids: Sequences, cache: KvCache): Value {
    const model = this.#model;
    if (model instanceof CausalLM) return model.lastLogits(tape, ids, { cache });
    return model.lastLogits(tape, ids, this.#source!, { cache });
  }

  [Symbol.dispose](): void {
    this.#cache.dispose();
    this.#source?.dispose();
  }
}
