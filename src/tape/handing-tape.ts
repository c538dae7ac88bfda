/**
 * The tape of a model that is spread over several memories: what is computed in one and read in another is copied there, once,
 * and its gradient goes from one to the other with whoever adds to it. So every sum is what it is in one memory, term by term.
 */
import { StateError, UnsupportedError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import type { Param } from "../tensor/tensor.ts";
import { type Arenas, memoryOf } from "../wasm/memories.ts";
import type { Ptr } from "../wasm/memory.ts";
import { type Ids, type PartOfBatch, type Slot, Tape, type Value } from "./tape.ts";

/** A Value with all of its addresses, by memory: the first is where it was computed, the others are of copies. */
interface Spread extends Slot {
  readonly places: Map<number, Ptr>;
}

export class HandingTape extends Tape {
  /** Batches are not cut into parts: the rows that wait for the next part are not handed over. */
  override needsWholeBatch = true;

  get #current(): number {
    return (this.arena as Arenas).current;
  }

  override begin(part: PartOfBatch): void {
    if (this.activations !== "f32")
      throw new UnsupportedError(
        `activations "${this.activations}" are not possible with a model in several memories; use "f32", or one memory`,
      );
    super.begin(part);
  }

  override at<T>(near: Ptr, body: () => T): T {
    const arenas = this.arena as Arenas;
    const before = arenas.current;
    if (near > 0) arenas.current = memoryOf(near);
    try {
      return body();
    } finally {
      arenas.current = before;
    }
  }

  override value(shape: Value["shape"], from: readonly (Value | Param | null)[] = []): Value {
    const slot = super.value(shape, from);
    const places = new Map([[this.#current, slot.ptr]]);
    return Object.defineProperties(slot, {
      places: { value: places },
      ptr: { get: () => places.get(this.#current) ?? this.#handOver(slot as Spread) },
    });
  }

  #handOver({ shape, places }: Spread): Ptr {
    const [from] = places.values() as Iterable<Ptr> as [Ptr];
    const bytes = sizeOf(shape) * 4;
    const ptr = this.alloc(bytes);
    this.copy(ptr, from, bytes);
    places.set(this.#current, ptr);
    return ptr;
  }

  /** Runs `body` where the Value was computed. */
  #where<T>(x: Value, body: () => T): T {
    const [home] = (x as Spread).places.values() as Iterable<Ptr> as [Ptr];
    return this.at(home, body);
  }

  override ids(data: Int32Array): Ids {
    const places = new Map<number, Ptr>();
    const here = () => {
      const known = places.get(this.#current);
      if (known !== undefined) return known;
      const ptr = this.upload(data);
      places.set(this.#current, ptr);
      return ptr;
    };
    return Object.defineProperty({ tape: this as Tape, ptr: 0 as Ptr, count: data.length }, "ptr", { get: here });
  }

  override download(x: Value): Float32Array {
    return this.#where(x, () => super.download(x));
  }

  /** Everything is kept: what is put away has one address. */
  override recomputable(): void {}

  protected override drop(slot: Slot): void {
    for (const ptr of (slot as Spread).places.values()) this.arena.free(ptr);
  }

  override gradientSlot(x: Value): { ptr: Ptr; fresh: boolean } {
    const slot = x as Slot;
    const from = slot.grad;
    if (from === null || memoryOf(from) === this.#current) return super.gradientSlot(x);
    const bytes = sizeOf(x.shape) * 4;
    slot.grad = this.alloc(bytes);
    this.copy(slot.grad, from, bytes);
    this.arena.free(from);
    return { ptr: slot.grad, fresh: false };
  }

  override backward(loss: Value, seed = 1): void {
    this.#where(loss, () => super.backward(loss, seed));
  }

  protected override note(y: Slot, kept: readonly Slot[], inPlace: boolean, backward: (dy: Ptr) => void): void {
    const { places } = y as Spread;
    if (inPlace && (places.size > 1 || !places.has(this.#current)))
      throw new StateError("a Value that was handed over to another memory cannot be changed in place");
    super.note(y, kept, inPlace, () => this.#where(y, () => backward(this.gradientSlot(y).ptr)));
  }
}
