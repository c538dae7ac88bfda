/** Keys and values of the tokens already seen, per layer and sequence, so that a new token costs one row. */
import { StateError } from "../../core/errors.ts";
import type { Heads, KeptHeads } from "../../ops/attention/attention.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { Ptr } from "../../wasm/memory.ts";

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
  /** Where each sequence lies: slot n is rows n · capacity to (n + 1) · capacity. */
  #slots: number[];
  /** Rows at the start of every slot that are the same in all. */
  #common = 0;

  constructor(engine: Engine, shape: KvCacheShape) {
    this.#engine = engine;
    this.shape = shape;
    this.lengths = new Int32Array(shape.sequences);
    this.#slots = Array.from(this.lengths.keys());
    const floats = 2 * shape.layers * shape.sequences * shape.capacity * shape.width;
    this.#block = engine.memory.alloc(floats * 4, `a key-value cache of ${shape.capacity} tokens`);
  }

  /** All sequences' keys (part 0) or values (part 1) of a layer, [sequences · capacity, width]. */
  layer(layer: number, part: 0 | 1): KeptHeads {
    const { sequences, capacity, width } = this.shape;
    return { ptr: (this.#block + (2 * layer + part) * sequences * capacity * width * 4) as Ptr, width };
  }

  /** The row of a layer's keys and values where sequence s begins. */
  firstRow(s: number): number {
    return this.#slots[s]! * this.shape.capacity;
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
    const { width } = this.shape;
    const { tape } = heads.value;
    const kept = this.layer(layer, part);
    const stride = heads.value.shape[1]!;
    for (let s = 0; s + 1 < starts.length; s++) {
      for (let row = starts[s]!; row < starts[s + 1]!; row++) {
        const to = kept.ptr + (this.firstRow(s) + this.lengths[s]! + row - starts[s]!) * width * 4;
        const from = heads.value.ptr + (row * stride + heads.column) * 4;
        tape.copy(to as Ptr, from as Ptr, width * 4);
      }
    }
  }

  /** Counts the new tokens once all layers have been appended to. */
  advance(starts: Int32Array): void {
    for (let s = 0; s + 1 < starts.length; s++) this.lengths[s]! += starts[s + 1]! - starts[s]!;
  }

  /** Begins every sequence of this empty cache with the only sequence of another. Throws a StateError where it does not fit. */
  beginWith(prompt: KvCache): void {
    const length = prompt.lengths[0]!;
    this.expectRoom(new Int32Array(this.shape.sequences).fill(length));
    for (const slot of this.#slots) this.#copy(prompt, 0, slot, 0, length);
    this.lengths.fill(length);
    this.#common = length;
  }

  /**
   * Sequence s goes on from what sequence `parents[s]` has. The first that follows a parent takes its place; only for others
   * are rows copied, to the places of those that nobody follows, and not the beginning that all have in common.
   */
  reorder(parents: readonly number[]): void {
    const slots = this.#slots;
    const free = slots.filter((_, s) => !parents.includes(s));
    this.#slots = parents.map((parent, s) => {
      if (parents.indexOf(parent) === s) return slots[parent]!;
      const slot = free.pop()!;
      this.#copy(this, slots[parent]!, slot, this.#common, this.lengths[parent]!);
      return slot;
    });
    this.lengths.set(parents.map((parent) => this.lengths[parent]!));
  }

  /** Copies rows `start` to `end` of a slot of another cache to one of this. */
  #copy(other: KvCache, from: number, to: number, start: number, end: number): void {
    const { memory } = this.#engine;
    const { layers, width, capacity } = this.shape;
    for (let layer = 0; layer < layers; layer++) {
      for (const part of [0, 1] as const) {
        const at = (cache: KvCache, slot: number, rows: number) =>
          (cache.layer(layer, part).ptr + (slot * rows + start) * width * 4) as Ptr;
        const source = memory.f32(at(other, from, other.shape.capacity), (end - start) * width);
        memory.f32(at(this, to, capacity), source.length).set(source);
      }
    }
  }

  dispose(): void {
    this.#engine.memory.free(this.#block);
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
