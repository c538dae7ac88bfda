/** What the layers of one forward pass share: the tape, the tokens, their positions and who attends to whom. */
import { FormatError } from "../core/errors.ts";
import { type AttentionShape, attendKept, attention, type Heads, type Segments } from "../ops/attention.ts";
import { dropout } from "../ops/dropout.ts";
import type { Ids } from "../ops/embedding.ts";
import type { Tape, Value } from "../tape/tape.ts";
import type { KvCache } from "./kv-cache.ts";
import { expectIds, type Sequences } from "./sequences.ts";

export interface PassOptions {
  readonly cache?: KvCache | null;
  /** Replaces every dropout probability of the model's config. */
  readonly dropout?: number | null;
}

export class Pass {
  readonly tape: Tape;
  readonly ids: Ids;
  /** Positions as ids, for models that embed them. */
  readonly positions: Ids;
  /** One more than the largest position. */
  readonly length: number;
  readonly #sequences: Sequences;
  readonly #segments: Segments;
  readonly #cache: KvCache | null;
  readonly #dropout: number | null;

  constructor(
    tape: Tape,
    sequences: Sequences,
    limits: { vocabSize: number; contextLength: number },
    options: PassOptions = {},
  ) {
    const { ids, starts } = sequences;
    this.tape = tape;
    this.#sequences = sequences;
    this.#cache = options.cache ?? null;
    this.#dropout = options.dropout ?? null;
    expectIds("input ids", ids, limits.vocabSize);
    const past = this.#cache?.lengths ?? new Int32Array(starts.length - 1);
    const counts = past.map((_, s) => starts[s + 1]! - starts[s]!);
    this.#cache?.expectRoom(counts);
    this.length = counts.reduce((longest, count, s) => Math.max(longest, past[s]! + count), 0);
    if (this.length > limits.contextLength) {
      throw new FormatError(
        `a sequence of ${this.length} tokens is longer than the model's context of ${limits.contextLength}: shorten it (--max-length)`,
      );
    }
    const positions = new Int32Array(ids.length);
    past.forEach((before, s) => {
      for (let t = starts[s]!; t < starts[s + 1]!; t++) positions[t] = before + t - starts[s]!;
    });
    this.ids = { tape, ptr: tape.upload(ids), count: ids.length };
    this.positions = { tape, ptr: tape.upload(positions), count: ids.length };
    this.#segments = {
      ptr: tape.upload(this.#quadruples(past)),
      count: past.length,
      lengths: Array.from(counts, (n, s) => [n, past[s]! + n] as const),
    };
  }

  /** qStart, qEnd, kStart, kEnd of each sequence: keys are the pass's own rows, or the cache's. */
  #quadruples(past: Int32Array): Int32Array {
    const { starts } = this.#sequences;
    return Int32Array.from(
      Array.from(past).flatMap((before, s) => {
        const [start, end] = [starts[s]!, starts[s + 1]!];
        const first = this.#cache ? s * this.#cache.shape.capacity : start;
        return [start, end, first, first + before + end - start];
      }),
    );
  }

  /** Attention of one layer; keys and values go through the cache when there is one. */
  attend(layer: number, q: Heads, k: Heads, v: Heads, shape: AttentionShape): Value {
    if (!this.#cache) return attention(q, k, v, shape, this.#segments);
    this.#cache.append(layer, 0, k, this.#sequences.starts);
    this.#cache.append(layer, 1, v, this.#sequences.starts);
    return attendKept(q, this.#cache.layer(layer, 0), this.#cache.layer(layer, 1), shape, this.#segments);
  }

  /** Dropout with the config's probability, or the one that replaces it. */
  dropout(x: Value, p: number): Value {
    return dropout(x, this.#dropout ?? p);
  }
}
