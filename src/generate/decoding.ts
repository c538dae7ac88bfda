/** A model in the middle of writing: what it has read and written is kept, so that a new token costs one row. */
import type { CausalLM } from "../nn/causal-lm.ts";
import type { KvCache } from "../nn/kv-cache.ts";
import type { CrossCache } from "../nn/memory.ts";
import type { Seq2SeqLM } from "../nn/seq2seq-lm.ts";
import { concatenate, type Sequences } from "../nn/sequences.ts";
import { Tape, type Value } from "../tape/tape.ts";
import type { Engine } from "../wasm/engine.ts";

/** A model that writes. */
export type Writer = CausalLM | Seq2SeqLM;

/** How a model is begun: what its decoder reads first, and a step with the cache given. */
interface Script {
  readonly prompt: readonly number[];
  /** Logits [sequences, V] after the last of the new ids of each sequence. */
  readonly step: (tape: Tape, sequences: Sequences, cache: KvCache) => Value;
}

/** Several sequences that begin alike and are written side by side in one pass. */
export class Decoding {
  readonly vocabSize: number;
  readonly #engine: Engine;
  readonly #script: Script;
  readonly #source: CrossCache | null;
  readonly #cache: KvCache;
  /** Logits [sequences · V] after what every sequence begins with. */
  readonly first: Float32Array;
  #planned: number | null = null;

  /** Reads `inputIds` once, for `sequences` sequences of up to `room` tokens more. */
  constructor(model: Writer, inputIds: readonly number[], room: number, sequences = 1) {
    this.vocabSize = model.vocabSize;
    this.#engine = model.engine;
    this.#source = model.task === "SEQ_2_SEQ_LM" ? model.encode(concatenate([inputIds])) : null;
    if (this.#source) this.#source.sourceOf = () => 0;
    this.#script = scriptOf(model, inputIds, this.#source);
    const { prompt } = this.#script;
    this.#cache = model.cache(prompt.length + room, sequences);
    this.first = this.#begin(model, prompt, sequences);
  }

  #begin(model: Writer, prompt: readonly number[], sequences: number): Float32Array {
    if (sequences === 1) return this.#run([prompt], this.#cache);
    using once = model.cache(prompt.length);
    const logits = this.#run([prompt], once);
    this.#cache.beginWith(once);
    return logits;
  }

  /** Adds one id to each sequence and returns the logits [sequences · V] after it. */
  step(ids: readonly number[]): Float32Array {
    return this.#run(
      ids.map((id) => [id]),
      this.#cache,
    );
  }

  /** Sequence s goes on from what sequence `parents[s]` has. */
  reorder(parents: readonly number[]): void {
    this.#cache.reorder(parents);
  }

  #run(ids: readonly (readonly number[])[], cache: KvCache): Float32Array {
    const run = (tape: Tape) => tape.download(this.#script.step(tape, concatenate(ids), cache));
    if (cache.lengths[0] === 0) return Tape.once(this.#engine, {}, run);
    this.#planned ??= Tape.plan(this.#engine, {}, run); // every step of one id each takes the same
    return Tape.run(this.#engine, this.#planned, {}, run);
  }

  [Symbol.dispose](): void {
    this.#cache.dispose();
    this.#source?.dispose();
  }
}

function scriptOf(model: Writer, inputIds: readonly number[], source: CrossCache | null): Script {
  if (model.task === "CAUSAL_LM") {
    return { prompt: inputIds, step: (tape, sequences, cache) => model.lastLogits(tape, sequences, { cache }) };
  }
  return {
    prompt: [model.decoderStartTokenId],
    step: (tape, sequences, cache) => model.lastLogits(tape, sequences, source!, { cache }),
  };
}
