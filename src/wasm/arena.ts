/**
 * The memory of one step. Activations and gradients are allocated and freed in the same order on every run with the
 * same shapes, so a dry run (a plan) finds the offsets and the peak of a step beforehand.
 */
import { StateError } from "../core/errors.ts";
import { aligned, formatBytes, type Ptr } from "./memory.ts";

interface Hole {
  offset: number;
  bytes: number;
}

/** The memory of one step: blocks by offset from a base. */
export class Arena {
  readonly base: number;
  readonly capacity: number;
  /** The addresses of its blocks in the engine's memory. */
  readonly bases: readonly Ptr[];
  readonly #sizes = new Map<number, number>();
  #holes: Hole[] = [];
  #end = 0;
  #peak = 0;
  #used = 0;
  #taken = 0;

  /** `base` is the address of a block of `capacity` bytes; a plan has no block: `new Arena(0, Infinity)`. */
  constructor(base: number, capacity: number) {
    this.base = base;
    this.capacity = capacity;
    this.bases = capacity > 0 ? [base as Ptr] : [];
  }

  /** The largest extent so far, in bytes: the size that a block needs for this step. */
  get peakBytes(): number {
    return this.#peak;
  }
  /** Bytes in use now. */
  get usedBytes(): number {
    return this.#used;
  }
  /** Bytes allocated since the last reset, including freed ones. */
  get takenBytes(): number {
    return this.#taken;
  }

  alloc(byteLength: number): Ptr {
    const bytes = Math.max(64, aligned(byteLength));
    const offset = this.#take(bytes);
    this.#sizes.set(offset, bytes);
    this.#used += bytes;
    this.#taken += bytes;
    return (this.base + offset) as Ptr;
  }

  free(ptr: Ptr): void {
    const offset = ptr - this.base;
    const bytes = this.#sizes.get(offset);
    if (bytes === undefined) throw new StateError(`arena block at ${ptr} is not in use`);
    this.#sizes.delete(offset);
    this.#used -= bytes;
    let at = this.#holes.findIndex((h) => h.offset > offset);
    if (at < 0) at = this.#holes.length;
    const before = this.#holes[at - 1];
    const after = this.#holes[at];
    const hole = { offset, bytes };
    if (after && offset + bytes === after.offset) {
      hole.bytes += after.bytes;
      this.#holes.splice(at, 1);
    }
    if (before && before.offset + before.bytes === offset) {
      before.bytes += hole.bytes;
    } else {
      this.#holes.splice(at, 0, hole);
    }
    const last = this.#holes.at(-1);
    if (last && last.offset + last.bytes === this.#end) {
      this.#end = last.offset;
      this.#holes.pop();
    }
  }

  /** Frees everything at once. The peak is kept. */
  reset(): void {
    this.#sizes.clear();
    this.#holes = [];
    this.#end = 0;
    this.#used = 0;
    this.#taken = 0;
  }

  /** Best fit: the smallest hole that is large enough, otherwise the end. */
  #take(bytes: number): number {
    let best: Hole | undefined;
    for (const hole of this.#holes) if (hole.bytes >= bytes && (!best || hole.bytes < best.bytes)) best = hole;
    if (best) {
      const { offset } = best;
      best.offset += bytes;
      best.bytes -= bytes;
      if (best.bytes === 0) this.#holes.splice(this.#holes.indexOf(best), 1);
      return offset;
    }
    const offset = this.#end;
    const end = offset + bytes;
    if (!(end <= this.capacity)) {
      // NaN, a size that a plan does not know, is not either
      throw new StateError(
        `the step needs at least ${formatBytes(end)} of working memory, but ${formatBytes(this.capacity)} were reserved for it`,
      );
    }
    this.#end = end;
    this.#peak = Math.max(this.#peak, end);
    return offset;
  }
}
