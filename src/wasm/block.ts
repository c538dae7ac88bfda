import { StateError } from "../core/errors.ts";
import type { Memory, Ptr } from "./memory.ts";

/**
 * A block of memory that belongs to one owner and knows when it is freed. Addresses are reused, so a bare `Ptr` that
 * outlives its block points at another tensor.
 */
export class MemoryBlock {
  readonly #memory: Pick<Memory, "alloc" | "free">;
  readonly #what: string;
  #ptr: Ptr | null;

  /** Allocates at least `byteLength` bytes with undefined contents. `what` names it in errors; for `near` see `Memory.alloc`. */
  constructor(memory: Pick<Memory, "alloc" | "free">, byteLength: number, what: string, near?: Ptr) {
    this.#memory = memory;
    this.#what = what;
    this.#ptr = memory.alloc(byteLength, what, near);
  }

  /** Its address. Throws StateError once it is freed. */
  get ptr(): Ptr {
    this.expectHeld();
    return this.#ptr!;
  }

  /** Throws StateError once it is freed. */
  expectHeld(): void {
    if (this.#ptr === null) throw new StateError(`${this.#what} was disposed of: its memory is free or in other use`);
  }

  /** Frees the memory; a second call does nothing. */
  free(): void {
    if (this.#ptr === null) return;
    this.#memory.free(this.#ptr);
    this.#ptr = null;
  }
}
