/** Keys and values of the tokens already seen, per layer and sequence, so that a new token costs one row. */
import { StateError } from "../core/errors.ts";
import type { Heads, KeptHeads } from "../ops/attention.ts";
import type { Engine } from "../wasm/engine.ts";
import type { Ptr } from "../wasm/memory.ts";

export interface KvCacheShape {
  readonly layers: number;
  /** kvHeads · headDim */
  readonly width: number;
  /** Tokens per sequence. */
  readonly capacity: number;
  readonly sequences: number;
}

export class KvCache {
  readonly shape: KvCacheShape;
  /** Tokens kept of each sequence. */
  readonly lengths: Int32Array;
  readonly #engine: Engine;
  readonly #block: Ptr;

  constructor(engine: Engine, shape: KvCacheShape) {
    this.#engine = engine;
    this.shape = shape;
    this.lengths = new Int32Array(shape.sequences);
    const floats = 2 * shape.layers * shape.sequences * shape.capacity * shape.width;
    this.#block = engine.memory.alloc(floats * 4, `a key-value cache of ${shape.capacity} tokens`);
  }

  /** All sequences' keys (part 0) or values (part 1) of a layer, [sequences · capacity, width]. */
  layer(layer: number, part: 0 | 1): KeptHeads {
    const { sequences, capacity, width } = this.shape;
    return { ptr: (this.#block + (2 * layer + part) * sequences * capacity * width * 4) as Ptr, width };
  }

  /** Throws a StateError unless `counts[s]` more tokens of each sequence fit. */
  expectRoom(counts: ArrayLike<number>): void {
    this.lengths.forEach((length, s) => {
      if (length + counts[s]! <= this.shape.capacity) return;
      throw new StateError(
        `key-value cache: sequence ${s} has ${length} tokens and gets ${counts[s]} more, it was made for ${this.shape.capacity}`,
      );
    });
  }

  /** Copies the rows of new tokens behind those kept. `starts` are the sequences' rows in `heads`. Lengths stay: see `advance`. */
  append(layer: number, part: 0 | 1, heads: Heads, starts: Int32Array): void {
    const { capacity, width } = this.shape;
    const { tape } = heads.value;
    const kept = this.layer(layer, part);
    const stride = heads.value.shape[1]!;
    for (let s = 0; s + 1 < starts.length; s++) {
      for (let row = starts[s]!; row < starts[s + 1]!; row++) {
        const to = kept.ptr + (s * capacity + this.lengths[s]! + row - starts[s]!) * width * 4;
        const from = heads.value.ptr + (row * stride + heads.column) * 4;
        tape.copy(to as Ptr, from as Ptr, width * 4);
      }
    }
  }

  /** Counts the new tokens once all layers have been appended to. */
  advance(starts: Int32Array): void {
    for (let s = 0; s + 1 < starts.length; s++) this.lengths[s]! += starts[s + 1]! - starts[s]!;
  }

  dispose(): void {
    this.#engine.memory.free(this.#block);
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
