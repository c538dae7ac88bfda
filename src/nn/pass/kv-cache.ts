/** Keys and values of the previous tokens, per layer and sequence, so that a new token costs one row. */
import { StateError } from "../../core/errors.ts";
import type { Heads, KeptHeads } from "../../ops/attention/attention.ts";
import { MemoryBlock } from "../../wasm/block.ts";
import type { Engine } from "../../wasm/engine.ts";
import type { Ptr } from "../../wasm/memory.ts";

/** Layers and width of a cache. */
export interface KvCacheShape {
  readonly layers: number;
  /** kvHeads · headDim */
  readonly width: number;
  /** Tokens per sequence. */
  readonly capacity: number;
  readonly sequences: number;
}

/** Keys and values of the tokens that were read, for each layer. */
export class KvCache {
  readonly shape: KvCacheShape;
  #lengths: Int32Array;
  readonly #engine: Engine;
  readonly #block: MemoryBlock;
  /** The slot of each sequence: slot n is rows n · capacity to (n + 1) · capacity. */
  #slots: number[];
  /** What each slot begins with: slots with the same one have these rows in common. */
  readonly #beginnings: { readonly rows: number }[];

  constructor(engine: Engine, shape: KvCacheShape) {
    this.#engine = engine;
    this.shape = shape;
    this.#lengths = new Int32Array(shape.sequences);
    this.#slots = Array.from(this.#lengths.keys());
    this.#beginnings = this.#slots.map(() => ({ rows: 0 }));
    const floats = 2 * shape.layers * shape.sequences * shape.capacity * shape.width;
    this.#block = new MemoryBlock(engine.memory, floats * 4, `a key-value cache of ${shape.capacity} tokens`);
  }

  /** The number of cached tokens of each sequence. */
  get lengths(): Int32Array {
    return this.#lengths;
  }

  /** All sequences' keys (part 0) or values (part 1) of a layer, [sequences · capacity, width]. */
  layer(layer: number, part: 0 | 1): KeptHeads {
    const { sequences, capacity, width } = this.shape;
    return { ptr: (this.#block.ptr + (2 * layer + part) * sequences * capacity * width * 4) as Ptr, width };
  }

  /** The first row of sequence s in a layer's keys and values. */
  firstRow(s: number): number {
    return this.#slots[s]! * this.shape.capacity;
  }

  /** Throws a StateError unless `counts[s]` more tokens of each sequence fit. */
  expectRoom(counts: ArrayLike<number>): void {
    this.#lengths.forEach((length, s) => {
      if (length + counts[s]! <= this.shape.capacity) return;
      throw new StateError(
        `key-value cache: sequence ${s} has ${length} tokens and gets ${counts[s]} more, but the capacity is ${this.shape.capacity}`,
      );
    });
  }

  /**
   * Appends the rows of new tokens. `starts` are the sequences' rows in `heads`. Lengths do not change: see `advance`.
   */
  append(layer: number, part: 0 | 1, heads: Heads, starts: Int32Array): void {
    const { width } = this.shape;
    const { tape } = heads.value;
    const kept = this.layer(layer, part);
    const stride = heads.value.shape[1]!;
    for (let s = 0; s + 1 < starts.length; s++) {
      for (let row = starts[s]!; row < starts[s + 1]!; row++) {
        const to = kept.ptr + (this.firstRow(s) + this.#lengths[s]! + row - starts[s]!) * width * 4;
        const from = heads.value.ptr + (row * stride + heads.column) * 4;
        tape.copy(to as Ptr, from as Ptr, width * 4);
      }
    }
  }

  /** Counts the new tokens after all layers have been appended to. */
  advance(starts: Int32Array): void {
    for (let s = 0; s + 1 < starts.length; s++) this.#lengths[s]! += starts[s + 1]! - starts[s]!;
  }

  /**
   * Starts some sequences, all by default, with the first `length` rows of the only sequence of another cache. Throws StateError if
   * they do not fit.
   */
  beginWith(prompt: KvCache, sequences: Iterable<number> = this.#slots.keys(), length = prompt.lengths[0]!): void {
    const beginning = { rows: length };
    for (const s of sequences) {
      const slot = this.#slots[s]!;
      this.#lengths[s] = 0;
      this.expectRoom(this.#lengths.map((_, each) => (each === s ? length : 0)));
      this.#copy(prompt, 0, slot, 0, length);
      this.#lengths[s] = length;
      this.#beginnings[slot] = beginning;
    }
  }

  /**
   * Sequence s of those that are kept from now on continues from sequence `parents[s]`: at most as many as the cache has been made
   * for. The first child of a parent takes over its slot; for other children, rows are copied to free slots, except for a
   * beginning that both have.
   */
  reorder(parents: readonly number[]): void {
    const slots = this.#slots;
    const kept = new Set(parents.map((parent) => slots[parent]!));
    const free = this.#beginnings.map((_, slot) => slot).filter((slot) => !kept.has(slot));
    this.#slots = parents.map((parent, s) => {
      const from = slots[parent]!;
      if (parents.indexOf(parent) === s) return from;
      const beginning = this.#beginnings[from]!;
      const near = free.findIndex((slot) => this.#beginnings[slot] === beginning);
      const [slot] = free.splice(Math.max(0, near), 1) as [number];
      this.#copy(this, from, slot, near < 0 ? 0 : beginning.rows, this.#lengths[parent]!);
      this.#beginnings[slot] = beginning;
      return slot;
    });
    this.#lengths = Int32Array.from(parents, (parent) => this.#lengths[parent]!);
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
    this.#block.free();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
