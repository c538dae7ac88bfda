/** Keys and values of the previous tokens, per layer and sequence, so that a new token costs one row. */
import { StateError } from "../../core/errors.ts";
import type { Heads, KeptHeads } from "../../ops/attention/attention.ts";
import { Block } from "../../wasm/block.ts";
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
  /** The number of cached tokens of each sequence. */
  readonly lengths: Int32Array;
  readonly #engine: Engine;
  readonly #block: Block;
  /** The slot of each sequence: slot n is rows n · capacity to (n + 1) · capacity. */
  #slots: number[];
  /** The number of rows at the start of every slot that all slots share. */
  #common = 0;

  constructor(engine: Engine, shape: KvCacheShape) {
    this.#engine = engine;
    this.shape = shape;
    this.lengths = new Int32Array(shape.sequences);
    this.#slots = Array.from(this.lengths.keys());
    const floats = 2 * shape.layers * shape.sequences * shape.capacity * shape.width;
    this.#block = new Block(engine.memory, floats * 4, `a key-value cache of ${shape.capacity} tokens`);
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
    this.lengths.forEach((length, s) => {
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
        const to = kept.ptr + (this.firstRow(s) + this.lengths[s]! + row - starts[s]!) * width * 4;
        const from = heads.value.ptr + (row * stride + heads.column) * 4;
        tape.copy(to as Ptr, from as Ptr, width * 4);
      }
    }
  }

  /** Counts the new tokens after all layers have been appended to. */
  advance(starts: Int32Array): void {
    for (let s = 0; s + 1 < starts.length; s++) this.lengths[s]! += starts[s + 1]! - starts[s]!;
  }

  /**
   * Starts every sequence of this empty cache with the only sequence of another. Throws StateError if it does not fit.
   */
  beginWith(prompt: KvCache): void {
    const length = prompt.lengths[0]!;
    this.expectRoom(new Int32Array(this.shape.sequences).fill(length));
    for (const slot of this.#slots) this.#copy(prompt, 0, slot, 0, length);
    this.lengths.fill(length);
    this.#common = length;
  }

  /**
   * Sequence s continues from sequence `parents[s]`. The first child of a parent takes over its slot; for other
   * children, rows are copied to the slots of sequences without children, except for the start that all have in common.
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
    this.#block.free();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
